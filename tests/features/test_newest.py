"""Of each entity the newest row that counts: against the law, whatever names the entity."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.instants import microseconds
from mainspring.domain.schema import Kind
from mainspring.domain.source import Source
from mainspring.features.assembling import Assembler
from mainspring.features.definition import CREATED_TIME, EVENT_TIME, ORDER, Definition, define
from mainspring.features.newest import known_in_memory, known_rows, newest_rows

START = datetime(2026, 3, 1, tzinfo=UTC)
# Numbers close together are their own places, those far apart and text are looked up.
KEYS = {"near": [1, 2, 3], "far": [-(2**62), 5, 2**62], "text": ["a", "b", "c"]}
Row = tuple[int | None, int, int]  # which entity, event and created minute


def definition(kind: Kind) -> Definition:
    view = FeatureView("ads", source=Source("ads.parquet", time="at"), key="ad", created="known")
    return define(view, {"ad": kind, "at": Kind.TIME, "known": Kind.TIME, "width": Kind.NUMBER}, {})


def frame(name: str, rows: list[Row], values: list[Any] | None = None) -> pl.LazyFrame:
    moment = pl.Datetime("us", "UTC")
    given = {
        "ad": [None if entity is None else KEYS[name][entity] for entity, _, _ in rows],
        EVENT_TIME: [START + timedelta(minutes=event) for _, event, _ in rows],
        CREATED_TIME: [START + timedelta(minutes=created) for _, _, created in rows],
        ORDER: list(range(len(rows))),
        "width": values or [float(number) for number in range(len(rows))],
    }
    key = pl.String if name == "text" else pl.Int64
    schema = {"ad": key, EVENT_TIME: moment, CREATED_TIME: moment, ORDER: pl.Int64, "width": pl.Float64}
    return pl.LazyFrame(given, schema=schema)


def kind_of(name: str) -> Kind:
    return Kind.CATEGORY if name == "text" else Kind.INTEGER


@pytest.mark.parametrize("name", KEYS)
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 2), st.integers(0, 4), st.integers(0, 6)), max_size=12),
    st.integers(-1, 7),
    st.randoms(),
)
def test_the_newest_of_those_that_count(name: str, rows: list[Row], until: int, random: Any) -> None:
    declared, moment = definition(kind_of(name)), microseconds(START + timedelta(minutes=until))
    counting = [
        (place, row)
        for place, row in enumerate(rows)
        if row[0] is not None and row[1] <= until and row[2] <= until
    ]
    expected = {
        max((row[1], row[2], place) for place, row in counting if row[0] == entity)[2]
        for entity in {row[0] for _, row in counting}
    }
    given_rows = frame(name, rows)
    known = known_in_memory(declared, given_rows, moment)
    assert known.equals(known_rows(declared, given_rows, moment).collect())
    assert set(newest_rows(declared, known).get_column(ORDER)) == expected
    shuffled = known[random.sample(range(known.height), known.height)]
    assert set(newest_rows(declared, shuffled).get_column(ORDER)) == expected


def test_a_number_that_is_none_is_missing_online() -> None:
    declared = definition(Kind.INTEGER)
    rows = frame("near", [(0, 0, 0), (1, 0, 0), (2, 0, 0)], [1.5, float("nan"), None]).collect()
    assembler = Assembler(declared)
    ((keys, vectors),) = assembler.vectors(rows, until=microseconds(START))
    found = {key: assembler.codec.read(vector, 0)[1] for key, vector in zip(keys, vectors, strict=True)}
    assert [found[assembler.keys.of_row({"ad": ad})] for ad in (1, 2, 3)] == [[1.5], [None], [None]]
