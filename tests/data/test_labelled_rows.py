"""Labelled rows join those of the source, whatever the columns are called."""

from datetime import UTC, datetime
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.data.labelled_rows import (
    ANSWERED,
    DIGEST,
    IDENTITY,
    WITHDRAWN,
    content_digest,
    holding_rows,
    joined,
)
from mainspring.data.snapshots import ROW
from mainspring.errors import StoreError

AT = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = st.one_of(st.just("^a$"), st.just("^.*$"), st.just("*"), st.text(min_size=1, max_size=6)).filter(
    lambda name: not name.startswith("__")
)


def labelled(columns: dict[str, list[str | None]]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    asked = pl.Series(ANSWERED, [AT] * count, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame([*(pl.Series(name, values, pl.String) for name, values in columns.items()), asked])


@given(NAMES, NAMES)
def test_columns_are_taken_by_their_names_alone(key: str, other: str) -> None:
    if key == other:
        return
    source = pl.DataFrame(
        [pl.Series(key, ["a", "b", None]), pl.Series(other, ["1", "2", "3"]), pl.Series(ROW, [0, 1, 2])]
    )
    rows = joined(source, labelled({key: ["b", "c", None], other: ["4", "5", "6"]}), key)
    assert rows.columns == [key, other, ROW, ANSWERED]
    assert rows.get_column(other).to_list() == ["1", "2", "3", "5", "6"]  # what the source has it knows better
    assert rows.get_column(ROW).to_list() == [0, 1, 2, 3, 4]
    assert rows.get_column(ANSWERED).is_null().to_list() == [True] * 3 + [False] * 2


def test_without_a_key_nobody_knows_which_rows_the_source_has() -> None:
    source = pl.DataFrame({"a": ["x"], ROW: [0]})
    assert joined(source, labelled({"a": ["x"]}), None).get_column("a").to_list() == ["x", "x"]


def test_rows_of_another_shape_do_not_join() -> None:
    source = pl.DataFrame({"a": [1], ROW: [0]})
    with pytest.raises(StoreError, match="no column 'a' of the type Int64"):
        joined(source, labelled({"a": ["x"]}), None)


def a_version(said: list[tuple[str, int, bool]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            IDENTITY: [identity for identity, _, _ in said],
            DIGEST: [content for _, content, _ in said],
            WITHDRAWN: [withdrawn for _, _, withdrawn in said],
            ANSWERED: [AT] * len(said),
            ROW: range(len(said)),
        },
        schema_overrides={DIGEST: pl.Int64},
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1), st.randoms())
def test_the_last_that_was_said_holds_in_whatever_order_it_is_read(
    said: list[tuple[str, int, bool]], random: Random
) -> None:
    last = {identity: (content, withdrawn) for identity, content, withdrawn in said}
    expected = {identity: content for identity, (content, withdrawn) in last.items() if not withdrawn}
    rows = a_version(said)
    held = holding_rows(rows)
    assert dict(zip(held[IDENTITY], held[DIGEST], strict=True)) == expected
    places = list(range(rows.height))
    random.shuffle(places)
    assert content_digest(holding_rows(rows[places])) == content_digest(held)


def test_another_content_has_another_digest() -> None:
    digests = {
        content_digest(holding_rows(a_version(said)))
        for said in ([("a", 1, False)], [("a", 2, False)], [("b", 1, False)], [("a", 1, True)])
    }
    assert len(digests) == 4
