"""Detectors: river's own indices, and the same findings however the stream is cut and stored in between."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.monitoring.concept.detectors import RiverDetector, detector_of

METHODS = ("residual", "adwin", "page_hinkley", "kswin", "ddm")


def stream(seed: int = 1, before: float = 0.2, after: float = 0.5, size: int = 1500) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random(2 * size) < np.repeat([before, after], size)).astype(np.float64)


def indices(method: str, values: np.ndarray, cuts: list[int]) -> list[int]:
    """What is found when the detector is stored as JSON and taken up again at each cut."""
    found, detector = [], detector_of(method)
    edges = sorted({0, *(cut % (len(values) + 1) for cut in cuts), len(values)})
    for start, end in pairwise(edges):
        found += [one.index for one in detector.update(values[start:end])]
        detector = detector_of(method, json.loads(json.dumps(detector.to_dict())))
    assert detector.seen == len(values)
    return found


def test_the_published_indices(real_data: Path) -> None:
    """skmultiflow's, which river keeps but for two.

    Its ADWIN forgets everything at a finding, where skmultiflow went on with the newer part and found the same
    change three times more; its KSWIN tests with the newest value, where skmultiflow tested without it.
    """
    values = np.load(real_data / "drift_anchors" / "drift_stream.npy").astype(np.float64)
    assert indices("adwin", values, []) == [1023]
    assert indices("page_hinkley", values, []) == [1013, 1335, 1505, 1758]
    assert indices("kswin", values, []) == [1045 - 1]
    random = np.random.RandomState(1)
    bits = np.concatenate([random.normal(0, 0.1, 1000) > 0, random.normal(0.5, 0.1, 1000) > 0])
    assert indices("ddm", bits.astype(np.float64), []) == [103, 1060]


@pytest.mark.parametrize("method", METHODS)
def test_a_change_is_found_soon_after_it(method: str) -> None:
    found = indices(method, stream(before=0.1, after=0.7, size=800), [])
    assert any(800 <= index < 1200 for index in found)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_storing_it_anywhere_changes_nothing(method: str, cuts: list[int]) -> None:
    values = stream(size=250 if method == "kswin" else 1500)  # KSWIN takes long
    assert indices(method, values, cuts) == indices(method, values, [])


def test_what_river_finds_is_found_at_the_same_index() -> None:
    drift = pytest.importorskip("river.drift")
    values, expected, detector = stream(seed=5), [], drift.ADWIN()
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            expected.append(index)
    assert expected
    assert indices("adwin", values, []) == expected


def test_the_memory_is_bounded_and_cuts_change_nothing_there_either() -> None:
    values = np.random.default_rng(0).random(45_000)
    detector = RiverDetector("page_hinkley")
    detector.update(values)
    assert len(detector.to_dict()["kept"]) <= 20_000
    values[40_000:] += 1
    assert indices("page_hinkley", values, [19_999, 20_000, 30_001]) == indices("page_hinkley", values, [])


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_number_is_no_value(method: str) -> None:
    detector = detector_of(method)
    assert detector.update(np.array([np.nan, np.inf, 0.0])) == []
    assert detector.seen == 3
    json.dumps(detector.to_dict(), allow_nan=False)


def test_a_taste_that_turns_round_is_found_though_the_mean_residual_stays() -> None:
    found, detector = [], detector_of("residual")
    for values in np.array_split(turned_round(), 40):
        found += detector.update(values)
        detector = detector_of("residual", json.loads(json.dumps(detector.to_dict())))
    (change,) = found
    assert change.column == 1
    assert 1_900 <= change.since <= 2_100
    assert change.index < 2_400
    assert [one.column for one in detector_of("residual").update(turned_round()[:, 0])] == []


def test_columns_tell_of_a_change_once() -> None:
    values = turned_round()
    values[2_000:, 0] += 0.4
    assert len(detector_of("residual").update(values)) == 1


def turned_round() -> np.ndarray:
    """The residual and its excess of a calibrated model; the law turns round after 2,000 of 4,000 rows."""
    random = np.random.default_rng(3)
    chance = random.beta(0.5, 0.5, 4_000)
    truth = random.random(4_000) < np.where(np.arange(4_000) < 2_000, chance, 1 - chance)
    residual = truth - chance
    return np.column_stack([residual, residual**2 - chance * (1 - chance)])
