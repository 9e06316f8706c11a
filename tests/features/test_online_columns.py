"""Rows of a table name the entities that requests with the same values name."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mainspring.domain.release import InputField, ViewInput
from mainspring.domain.schema import Kind
from mainspring.errors import DataError
from mainspring.features.keys import EntityKeys
from mainspring.features.online_columns import OnlineColumns
from mainspring.features.sealed_layout import layout_of
from mainspring.features.vectors import VectorCodec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMERAL = InputField("^ad$", Kind.ID, numerals=True)


def a_view(*keys: InputField) -> ViewInput:
    kinds = (("width", Kind.INTEGER), ("seen", Kind.TIME))
    return ViewInput("ads", "ads-0", keys, {"seen": "ads.seen", "width": "^w$"}, kinds, {"seen": "2026-01-01"})


@pytest.mark.parametrize(
    "values", [pl.Series([17, 18, None]), pl.Series([17.0, 18.0, None]), pl.Series(["17", "18", None])]
)
def test_a_number_and_its_text_name_one_entity_where_keys_are_numerals(values: pl.Series) -> None:
    asked = OnlineColumns(a_view(NUMERAL), ["width"]).asked(pl.DataFrame([values.alias("^ad$")]))
    assert asked.of_store == ("ads-0", [EntityKeys([NUMERAL]).of_row({"^ad$": text}) for text in ("17", "18")])
    assert asked.places == [1, 2, 0]


def test_what_is_written_otherwise_or_of_another_type_is_named() -> None:
    columns = OnlineColumns(a_view(NUMERAL), ["width"])
    with pytest.raises(DataError, match="'017' in row 2"):
        columns.asked(pl.DataFrame({"^ad$": ["17", "017"]}))
    with pytest.raises(DataError, match="no two would ever be equal"):
        OnlineColumns(a_view(InputField("shop", Kind.ID)), ["width"]).asked(pl.DataFrame({"shop": [17]}))


def test_each_row_has_the_values_of_its_entity() -> None:
    keys = (InputField("shop", Kind.INTEGER), InputField("at", Kind.TIME))
    view = a_view(*keys)
    zone = pl.Datetime("ms", "Europe/Berlin")
    rows = pl.DataFrame(
        {"shop": [7, 8, 7, None, 7], "at": pl.Series([NOON] * 4 + [NOON + timedelta(days=1)]).cast(zone)}
    )
    columns = OnlineColumns(view, ["seen", "width"])
    asked = columns.asked(rows)
    encode = EntityKeys(keys).of_row
    at = [moment.isoformat() for moment in (NOON, NOON, NOON + timedelta(days=1))]
    assert asked.of_store[1] == [encode({"shop": n, "at": t}) for n, t in zip((7, 8, 7), at, strict=True)]
    codec = VectorCodec(layout_of(view))
    vectors = [codec.encode([300, 1_000_000], 5), None, codec.encode([None, None], 5)]
    seen, width = columns.columns(asked, vectors, NOON)
    assert (seen.name, width.name) == ("ads.seen", "^w$")
    assert width.to_list() == [300, None, 300, None, None]
    epoch, default = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert seen.to_list() == [epoch, default, epoch, default, default]
