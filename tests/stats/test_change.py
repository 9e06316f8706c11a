import json
import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.stats.change import ChangeDetector, alarm_bar

calm = settings(deadline=None, max_examples=30)
TRAINED_ON = 8_000


def candidates():
    linear = pytest.importorskip("sklearn.linear_model", reason="needs scikit-learn")
    trees = pytest.importorskip("lightgbm", reason="needs LightGBM")
    return {
        "logistic": linear.LogisticRegression(),
        "trees": trees.LGBMClassifier(n_estimators=60, verbose=-1, n_jobs=1),
    }


def residuals(rows, truth, name):
    """Of a model trained on the first rows and never again: truth less probability on the rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = candidates()[name].fit(rows[:TRAINED_ON], truth[:TRAINED_ON])
        return truth[TRAINED_ON:] - model.predict_proba(rows[TRAINED_ON:])[:, 1]


def sea(folder):
    rows = pl.read_csv(folder / "sea" / "SEA_training_data.csv", has_header=False).to_numpy()
    truth = pl.read_csv(folder / "sea" / "SEA_training_class.csv", has_header=False).to_numpy()[:, 0]
    return rows, truth.astype(float)


@pytest.mark.parametrize("name", ["logistic", "trees"])
def test_each_change_of_sea_is_seen_within_1500_rows_and_nothing_else_is(real_data, name):
    found = ChangeDetector().update(residuals(*sea(real_data), name))
    assert len(found) == 3
    for change, at in zip(found, (12_500, 25_000, 37_500), strict=True):
        assert at <= change.index + TRAINED_ON <= at + 1_500
        assert abs(change.since + TRAINED_ON - at) <= 500


@pytest.mark.parametrize("name", ["logistic", "trees"])
@pytest.mark.parametrize("file", ["sea_big", "sea_stream"])
def test_where_nothing_changes_nothing_is_seen(real_data, file, name):
    table = pl.read_csv(real_data / "sea" / f"{file}.csv").to_numpy().astype(float)
    assert ChangeDetector().update(residuals(table[:, :3], table[:, 3], name)) == []


def test_the_errors_alone_do_not_tell_what_the_signed_residuals_do(real_data):
    left = residuals(*sea(real_data), "logistic")
    around_second = slice(15_000 - TRAINED_ON, 37_500 - TRAINED_ON)
    assert len(ChangeDetector().update(left[around_second])) == 1
    wrong = (np.abs(left) > 0.5).astype(float)
    assert ChangeDetector().update(wrong[around_second]) == []


def stream(seed, n=6_000):
    random = np.random.default_rng(seed)
    values = random.normal(size=n)
    for place in random.integers(1_000, n, size=2):
        values[place:] += random.choice([-1.0, 0.4])
    values[random.integers(0, n, size=20)] = np.nan
    return values


@calm
@given(st.integers(0, 1_000), st.lists(st.integers(0, 700), max_size=12))
def test_portions_and_stops_between_them_change_nothing(seed, sizes):
    values = stream(seed)
    whole = ChangeDetector()
    expected = whole.update(values)
    parts, found = ChangeDetector(), []
    for part in np.split(values, np.minimum(np.cumsum(sizes), values.size)):
        found += parts.update(part)
        state = json.dumps(parts.to_dict(), allow_nan=False)
        parts = ChangeDetector.from_dict(json.loads(state))
    assert found == expected
    assert parts.to_dict() == whole.to_dict()


def test_one_by_one_is_the_same_too():
    values = stream(1)
    detector = ChangeDetector()
    found = [change for value in values for change in detector.update(np.array([value]))]
    assert found == ChangeDetector().update(values) != []


def test_a_change_says_since_when_and_from_what_to_what():
    random = np.random.default_rng(0)
    (change,) = ChangeDetector().update(np.concatenate([random.normal(0, 1, 4_000), random.normal(0.5, 1, 2_000)]))
    assert 4_000 < change.index < 4_500
    assert abs(change.since - 4_000) <= 100
    assert (change.before_mean, change.after_mean) == pytest.approx((0, 0.5), abs=0.15)
    assert change.z > alarm_bar(0.1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, n: random.normal(size=n),
        lambda random, n: (random.random(n) < 0.1) - 0.1,
        lambda random, n: random.exponential(size=n),
        lambda random, n: random.standard_t(3, size=n),
    ],
    ids=["normal", "rare", "skewed", "heavy"],
)
def test_false_alarms_are_as_rare_as_stated(draw):
    """At a rate that can be counted: 100 in a million values."""
    random = np.random.default_rng(2)
    found = []
    for _ in range(20):
        detector = ChangeDetector(false_alarms_per_million=100, least_change=0, warm_up=100)
        found += detector.update(draw(random, 20_000))
    assert len(found) <= 0.4 * 100 + 4 * 40**0.5


def test_hours_that_hang_together_do_not_pass_for_a_change():
    random = np.random.default_rng(3)
    hours = np.repeat(random.normal(0, 0.7, 1_200), 50) + random.normal(size=60_000)
    assert ChangeDetector().update(hours) == []


def test_a_daily_rhythm_passes_for_a_change_for_some_days_and_then_no_more():
    random = np.random.default_rng(6)
    day = 2_000
    values = random.normal(size=40 * day) + 0.3 * np.sin(2 * np.pi * np.arange(40 * day) / day)
    detector = ChangeDetector()
    detector.update(values[: 6 * day])
    assert detector.update(values[6 * day : 30 * day]) == []
    (change,) = detector.update(values[30 * day :] + 0.8)  # and a true one is still seen
    assert change.index < 34 * day


def test_a_change_that_does_not_matter_is_none():
    random = np.random.default_rng(4)
    values = np.concatenate([random.normal(0, 1, 50_000), random.normal(0.04, 1, 100_000)])
    assert ChangeDetector().update(values) == []
    assert len(ChangeDetector(least_change=0.01).update(values)) == 1


def test_the_memory_grows_with_the_logarithm():
    detector = ChangeDetector(false_alarms_per_million=1e-9)
    sizes = []
    for _ in range(4):
        detector.update(np.random.default_rng(5).normal(size=100_000))
        sizes.append(len(json.dumps(detector.to_dict())))
    assert max(sizes) < 40_000
    assert sizes[3] - sizes[1] < 5_000  # from twice to four times as many


def test_a_constant_stream_says_nothing_until_it_moves():
    detector = ChangeDetector()
    assert detector.baseline is None
    assert detector.update(np.full(2_000, 0.25)) == []
    assert detector.watches
    assert detector.baseline == pytest.approx(0.25)
    assert [change.since for change in detector.update(np.full(200, 0.5))] == [2_000]


@pytest.mark.parametrize(
    "values", [np.array([]), np.full(3_000, np.nan), np.full(3_000, np.inf), np.full(3_000, 1e308)]
)
def test_no_numbers_are_no_change(values):
    detector = ChangeDetector()
    assert detector.update(values) == []
    assert detector.baseline is None
    assert not detector.watches


def test_a_state_of_another_format_and_a_rate_that_is_none_are_refused():
    with pytest.raises(ValueError, match="format 7"):
        ChangeDetector.from_dict({"format": 7})
    with pytest.raises(ValueError, match="must be positive"):
        ChangeDetector(false_alarms_per_million=0)
