"""The drawn rows are a uniform sample, whatever the hours and however they came."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.labels import DTYPES
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.monitoring.hours.samples import HASH, MOST, OWN, drawn, smallest, uniform

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

SCHEMA = {name: DTYPES[PREDICTION_COLUMNS[name]] for name in OWN} | {"input_age": pl.Float64()}


def log(hour: int, rows: int, *, release: int = 1, first: int = 0) -> pl.DataFrame:
    at = NOON + timedelta(hours=hour)
    return pl.DataFrame(
        {
            "day": [at.date()] * rows,
            "id": [f"{hour}-{release}-{first + n}/0" for n in range(rows)],
            "at": [at] * rows,
            "release": [release] * rows,
            "role": ["champion"] * rows,
            "prediction": ["yes"] * rows,
            "value": [0.5] * rows,
            "outputs": [[0.5, 0.5]] * rows,
            "input_age": [float(n) for n in range(rows)],
        },
        schema=SCHEMA,
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(0, 150)), max_size=6), st.randoms())
def test_neither_order_nor_repetition_changes_the_sample(parts: list[tuple[int, int, int]], random) -> None:
    frames = [log(hour, rows, release=release, first=place) for place, (hour, release, rows) in enumerate(parts)]
    whole = drawn(pl.concat([log(0, 0), *frames]))
    shuffled = [*frames, *frames[:2]]
    random.shuffle(shuffled)
    kept = drawn(log(0, 0))
    for frame in shuffled:
        kept = smallest(pl.concat([kept, drawn(frame)]))
    assert kept.get_column("id").to_list() == whole.get_column("id").to_list()


def test_of_every_hour_and_release_a_hundred_are_kept() -> None:
    kept = drawn(pl.concat([log(0, 5000), log(1, 30), log(0, 400, release=2)]))
    counts = kept.group_by("hour", "release").len().sort("hour", "release")
    assert counts.get_column("len").to_list() == [MOST, MOST, 30]


def test_busy_hours_weigh_as_much_as_they_have_rows() -> None:
    kept = drawn(pl.concat([log(0, 20_000), log(1, 10_000), log(2, 5_000), log(3, 50)]))
    found = uniform(kept)
    shares = dict(found.group_by("hour").len().sort("hour").iter_rows())
    first, second, third, fourth = (shares.get(NOON + timedelta(hours=n), 0) for n in range(4))
    assert first == MOST
    assert 25 < second < 80
    assert 8 < third < 45
    assert fourth < 5


def test_where_all_is_known_all_is_taken() -> None:
    kept = drawn(pl.concat([log(0, 90), log(1, 30)]))
    assert uniform(kept).height == 120


def test_the_sample_is_uniform_over_an_hours_rows() -> None:
    ages = drawn(log(0, 4000)).get_column("input_age")
    assert 1500 < ages.mean() < 2500
    assert ages.n_unique() == MOST
    assert HASH in drawn(log(0, 1)).columns
