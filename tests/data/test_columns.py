"""No name of a column means anything to whatever reads, checks and cuts rows: other names, the same findings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.columns import columns_of
from mainspring.data.estimator_frame import estimator_frame
from mainspring.data.inference import Inference, infer
from mainspring.data.inference_kinds import Hints, guess_kind
from mainspring.data.parsing import as_text, parse
from mainspring.data.profiling import profile_of
from mainspring.data.reading import read_batches
from mainspring.data.validation import validate
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.release.inputs import input_fields
from mainspring.release.wire import from_wire, to_wire
from mainspring.training.slicing import slice_values
from mainspring.training.splitting import assign_holdout
from mainspring.training.stable_hash import hash_key

PLAIN = ("w", "a", "aa", "b", "bb", "target")
"""What the columns are called; none of these names says anything either."""

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PATTERNS = st.text("ab.*?+$^()[]{}|\\- ", max_size=5).map(lambda text: f"^{text}$")
NAMES = st.lists(
    st.one_of(PATTERNS, st.sampled_from(["*", "a", "count", "value", "rows", "literal", "len", "ä", "input_a"])),
    min_size=len(PLAIN),
    max_size=len(PLAIN),
    unique=True,
)


def rows(names: Sequence[str] = PLAIN, count: int = 120) -> pl.DataFrame:
    """A table with a column of each kind, some of which lack values."""
    random = np.random.default_rng(0)
    gaps = [pl.Series(random.random(count) < 0.1) for _ in range(3)]
    columns: list[Any] = [
        [NOW - timedelta(hours=hour) for hour in range(count)],
        pl.Series(random.integers(0, 50, count)).set(gaps[0], None),
        pl.Series(random.normal(size=count).round(3)).set(gaps[1], None),
        pl.Series(random.choice(["tv", "phone", "tablet"], count)).set(gaps[2], None),
        random.random(count) < 0.5,
        random.choice(["yes", "no"], count),
    ]
    return pl.DataFrame({name: pl.Series(values) for name, values in zip(names, columns, strict=True)})


def renamed(given: Any, names: Sequence[str]) -> Any:
    """What was found of other names as if it had been found of the plain ones."""
    plain = dict(zip(names, PLAIN, strict=True))
    if isinstance(given, Schema):
        return Schema(tuple(renamed(column, names) for column in given))
    if isinstance(given, Column):
        return replace(given, name=plain[given.name])
    return plain.get(given, given)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(max_examples=15, deadline=None)
@given(names=NAMES)
def test_a_source_is_read_as_it_would_be_under_other_names(
    suffix: str, names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def read(columns: Sequence[str]) -> tuple[Inference, pl.DataFrame]:
        folder = tmp_path_factory.mktemp("source")
        frame, place = rows(columns), folder / f"rows.{suffix}"
        frame.write_csv(place) if suffix == "csv" else frame.write_parquet(place)
        found = infer(Source(f"rows.{suffix}"), folder, target=columns[-1])
        return found, pl.concat(read_batches(found.source, found.schema, folder))

    (expected, typed), (found, other) = read(PLAIN), read(names)
    assert renamed(found.schema, names) == expected.schema
    assert [renamed(name, names) for name in found.features] == list(expected.features)
    assert (renamed(found.time, names), renamed(found.key, names)) == (expected.time, expected.key)
    assert (found.task, found.positive) == (expected.task, expected.positive)
    assert [renamed(name, names) for name, _ in found.target_candidates] == [
        name for name, _ in expected.target_candidates
    ]
    assert other.columns == names
    assert other.rows() == typed.rows()


@settings(max_examples=25, deadline=None)
@given(names=NAMES)
def test_typed_rows_are_checked_cut_and_sent_as_they_would_be_under_other_names(names: list[str]) -> None:
    kinds = (Kind.TIME, Kind.INTEGER, Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN, Kind.CATEGORY)

    def seen(columns: Sequence[str]) -> list[Any]:
        frame = rows(columns)
        described = tuple(map(Column, columns, kinds))
        schema, fields = Schema(described), input_fields(described, frame)
        back = from_wire(to_wire(frame, fields), fields)
        report = validate(frame, schema, "", now=NOW, previous=frame.head(60))
        return [
            [replace(field, name="") for field in fields],
            back.rows() == frame.rows(),
            estimator_frame(frame, fields).to_numpy(dtype=object)[:, 1:].astype(str).tolist(),
            [str(one.to_dict()) for one in profile_of(frame, fields).columns.values()],
            [(finding.code, renamed(finding.column, columns), finding.rows) for finding in report.findings],
            [values.tolist() for values in slice_values(frame, columns, schema).values()],
            assign_holdout(frame, share=0.2, time=columns[0]).mask.tolist(),
            assign_holdout(frame, share=0.2, key=columns[0]).mask.tolist(),
            hash_key(frame.get_column(columns[3])).tolist(),
            columns_of(frame, columns[1:3]).rows(),
        ]

    assert seen(names) == seen(PLAIN)


@pytest.mark.parametrize("name", ["^a$", "^.*$", "^($"])
@pytest.mark.parametrize(
    "values",
    [
        pl.Series([1, None, 3]),
        pl.Series([0.5, None, float("nan"), 2.0]),
        pl.Series([True, None]),
        pl.Series([b"\x00", None]),
        pl.Series([[1, 2], None]),
        pl.Series([{"x": 1}, None]),
        pl.Series([NOW, None]),
        pl.Series([timedelta(1), None]),
        pl.Series(["a", None], dtype=pl.Categorical),
        pl.Series(["1,5", "x", None]),
        pl.Series([None, None]),
        pl.Series([2**63, None], dtype=pl.UInt64),
    ],
    ids=lambda series: str(series.dtype).split("(")[0],
)
def test_values_of_every_type_are_read_under_any_name(name: str, values: pl.Series) -> None:
    awkward, plain = values.alias(name), values.alias("x")
    guess = guess_kind(awkward, Hints())
    assert guess == replace(guess_kind(plain, Hints()), column=guess.column)
    assert guess.column == replace(guess_kind(plain, Hints()).column, name=name)
    assert as_text(awkward).name == name
    assert as_text(awkward).to_list() == as_text(plain).to_list()
    for kind in Kind:
        found, expected = (parse(one, Column(one.name, kind), ",") for one in (awkward, plain))
        assert found.values.name == name
        assert found.values.to_list() == expected.values.to_list()
        assert (found.bad is None) == (expected.bad is None)
