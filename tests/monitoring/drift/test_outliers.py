"""The outlier score: rare among rows like the reference's, high for what is odd, and never broken by a value."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.data.profiling import profile_of
from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind, Personal
from mainspring.monitoring.drift.outlier_score import UNUSUAL, OutlierScore
from mainspring.monitoring.drift.outliers import BAR, outliers
from mainspring.monitoring.hours.update import update_hours
from mainspring.stats.profile import Profile
from mainspring.testing.watched import DAY, T0, Watched, day

FIELDS = [InputField("age", Kind.NUMBER), InputField("city", Kind.CATEGORY), InputField("new", Kind.BOOLEAN)]


def rows(count: int, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": random.normal(40, 10, count),
            "city": random.choice(
                [f"c{n}" for n in range(50)], count, p=np.arange(1, 51) / np.arange(1, 51).sum()
            ),
            "new": random.random(count) < 0.2,
        }
    )


SCORE = OutlierScore(profile_of(rows(20_000), FIELDS), FIELDS)


@pytest.mark.parametrize("level", [1.0, 1.5, 2.0])
def test_rows_like_those_of_training_have_a_score_as_seldom_as_it_says(level: float) -> None:
    scores = SCORE(rows(50_000, seed=1)).scores
    assert (scores >= level).mean() <= 10**-level * 1.15


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"age": 300.0}, "age"),
        ({"age": -float("inf")}, "age"),
        ({"age": None}, "age"),
        ({"city": "Atlantis"}, "city"),
        ({"new": None}, "new"),
    ],
)
def test_what_is_odd_is_unusual_and_its_input_is_named(change: dict[str, object], feature: str) -> None:
    odd = pl.DataFrame([{"age": 40.0, "city": "c49", "new": False} | change], schema=rows(1).schema)
    found = SCORE(odd)
    assert found.scores[0] >= UNUSUAL
    assert found.names[int(found.places[0])] == feature


def test_the_farther_out_the_higher() -> None:
    ages = pl.DataFrame({"age": [40.0, 62.0, 95.0, 150.0, 1e4, 1e300]})
    scores = SCORE(ages).scores
    assert (np.diff(scores) > 0).all()


def test_a_missing_value_is_as_unusual_as_it_was_in_training() -> None:
    seen = pl.DataFrame({"age": [None, *np.arange(9.0)] * 100})
    score = OutlierScore(profile_of(seen, FIELDS[:1]), FIELDS[:1])
    assert score(pl.DataFrame({"age": [None]}, schema={"age": pl.Float64})).scores[0] == pytest.approx(1.0)


def test_times_texts_and_what_is_a_persons_are_not_looked_at() -> None:
    fields = [
        InputField("at", Kind.TIME),
        InputField("note", Kind.TEXT),
        InputField("user", Kind.ID),
        InputField("mail", Kind.CATEGORY, personal=Personal.HASH),
    ]
    score = OutlierScore(Profile({one.name: one.kind for one in fields}), fields)
    assert score.names == ()
    assert score(pl.DataFrame({"note": ["x"]})).scores.tolist() == [0.0]


def test_a_constant_and_an_empty_profile_do_no_harm() -> None:
    constant = OutlierScore(profile_of(pl.DataFrame({"age": [5.0] * 500}), FIELDS[:1]), FIELDS[:1])
    scores = constant(pl.DataFrame({"age": [5.0, 6.0]})).scores
    assert scores[0] == 0
    assert scores[1] > UNUSUAL
    empty = OutlierScore(Profile({"age": Kind.NUMBER}), FIELDS[:1])
    assert empty(pl.DataFrame({"age": [5.0]})).scores.tolist() == [0.0]
    assert SCORE(rows(0)).scores.shape == (0,)


def test_a_category_with_very_many_levels_is_not_unusual_for_being_one_of_them() -> None:
    ids = pl.DataFrame({"city": [f"u{n}" for n in range(50_000)]})
    score = OutlierScore(profile_of(ids, FIELDS[1:2]), FIELDS[1:2])
    assert (score(pl.DataFrame({"city": ["u7", "u49999", "u50001"]})).scores < 1).all()


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=20))
def test_every_value_has_a_finite_score_of_nothing_or_more(values: list[float | None]) -> None:
    scores = SCORE(pl.DataFrame({"age": pl.Series(values, dtype=pl.Float64)})).scores
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_the_share_of_unusual_requests(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(2000, label_share=0)
    watched.answer(2000, T0 + DAY, shift=6.0, label_share=0)
    update_hours(watched.tables, "shop", watched.manifests, now=T0 + 2 * DAY)
    context, monitor = watched.context(T0 + 2 * DAY), Monitor.prediction()
    (usual,), (odd,) = (outliers(context, monitor, day(number)) for number in (0, 1))
    assert (usual.state, usual.bar, usual.subject) == (State.FINE, BAR, "unusual requests")
    assert odd.state is State.BAD
    assert odd.value is not None
    assert odd.value > 0.5
    assert odd.example["feature"] == "age"
    assert odd.example["score"] > UNUSUAL
    (nothing,) = outliers(context, monitor, day(5))
    assert (nothing.state, nothing.note) == (State.UNKNOWN, "0 answers, and 200 are needed")
