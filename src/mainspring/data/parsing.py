"""Text → value and value → kind, a column at a time: what `domain.schema.Column` says, on Polars series."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing_times import hide, parse_times
from mainspring.domain.schema import Column, Kind

DTYPES: dict[Kind, pl.DataType] = {
    Kind.NUMBER: pl.Float64(),
    Kind.INTEGER: pl.Int64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.CATEGORY: pl.String(),
    Kind.TEXT: pl.String(),
    Kind.ID: pl.String(),
    Kind.TIME: pl.Datetime("us", "UTC"),
    Kind.IMAGE: pl.String(),
}

# Unicode White_Space: the same set as the gateway strips.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

_TRUE = ("true", "True", "TRUE", "1")
_FALSE = ("false", "False", "FALSE", "0")
_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"
_COMMA = r"^[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?$"
_LEAST, _GREATEST = -(2**63), 2**63  # of a 64-bit integer


@dataclass(frozen=True, slots=True)
class Parsed:
    """The values of a column, and where a text was not of its kind.

    Attributes:
        values: of the kind's type; null where missing or bad.
        bad: true where the text is neither missing nor a value; `None` where there is no such place.
    """

    values: pl.Series
    bad: pl.Series | None


def parse(raw: pl.Series, column: Column, decimal: str = ".") -> Parsed:
    """Read a column as its schema says.

    Args:
        raw: n texts, or n values of a typed source (Parquet, Delta) which are converted.
        decimal: the character before the fraction of a number written as text.

    Examples:
        >>> age = Column("age", Kind.INTEGER, missing=("?",), strip=True)
        >>> parsed = parse(pl.Series("age", [" 39", "?", "x"]), age)
        >>> parsed.values.to_list(), parsed.bad.to_list()
        ([39, None, None], [False, False, True])
    """
    found = _parse(raw.alias(HARMLESS), column, decimal)
    return Parsed(found.values.alias(raw.name), found.bad)


def _parse(raw: pl.Series, column: Column, decimal: str) -> Parsed:
    if isinstance(raw.dtype, pl.Categorical | pl.Enum):
        raw = raw.cast(pl.String)
    if raw.dtype != pl.String:
        return _convert(raw, column)
    text = _clean(raw, column)
    if column.kind is Kind.NUMBER:
        values = _numbers(text, decimal)
    elif column.kind is Kind.INTEGER:
        values = (_without_grouping(text) if decimal == "," else text).cast(pl.Int64, strict=False)
    elif column.kind is Kind.BOOLEAN:
        values = _booleans(text, column)
    elif column.kind is Kind.TIME:
        values = parse_times(text, column.time_format)
    else:
        return Parsed(text, None)
    return _judged(values, text)


def _clean(raw: pl.Series, column: Column) -> pl.Series:
    """The texts of a column: blanks dropped where the schema says so, null where they mean missing."""
    text = raw.str.strip_chars(BLANKS) if column.strip else raw
    if column.missing:
        hidden = text.is_in(list(column.missing)).fill_null(value=False)
        if hidden.any():
            text = hide(text, hidden)
    if column.drop_dot:
        text = text.str.replace(r"^(.+)\.$", "${1}")
    return text


def _judged(values: pl.Series, text: pl.Series) -> Parsed:
    bad = values.is_null() & text.is_not_null()
    return Parsed(values, bad if bad.any() else None)


def _numbers(text: pl.Series, decimal: str) -> pl.Series:
    if decimal == ",":
        plain = _without_grouping(text)
        mask = plain.str.contains(_COMMA).fill_null(value=False)
        text = hide(plain.str.replace(",", ".", literal=True), ~mask)
    values = text.cast(pl.Float64, strict=False)
    infinite = ~values.is_finite().fill_null(value=True)  # NaN and infinity as text, and 1e999
    return hide(values, infinite) if infinite.any() else values


def _without_grouping(text: pl.Series) -> pl.Series:
    """`1.234.567,8` → `1234567,8`: with a decimal comma a dot can only part thousands."""
    grouped = text.str.contains(_GROUPED).fill_null(value=False)
    if not grouped.any():
        return text
    return text.str.replace_all(".", "", literal=True).zip_with(grouped, text)


def _booleans(text: pl.Series, column: Column) -> pl.Series:
    true, false = (column.true, column.false) if column.true or column.false else (_TRUE, _FALSE)
    yes = text.is_in(list(true)).fill_null(value=False)
    known = yes | text.is_in(list(false)).fill_null(value=False)
    return hide(yes, ~known)


def _convert(raw: pl.Series, column: Column) -> Parsed:
    """A value that has a type already, as the kind that the schema wants."""
    if raw.dtype.is_float():  # tools without nulls write NaN for missing
        raw = raw.fill_nan(None)
    if raw.dtype.is_decimal() and column.kind is Kind.NUMBER:
        return Parsed(raw.cast(pl.Float64), None)
    if column.kind is Kind.NUMBER and (raw.dtype.is_numeric() or raw.dtype == pl.Boolean):
        values = raw.cast(pl.Float64)
        infinite = values.is_infinite().fill_null(value=False)
        return Parsed(hide(values, infinite), infinite) if infinite.any() else Parsed(values, None)
    if column.kind is Kind.INTEGER and (raw.dtype.is_numeric() or raw.dtype == pl.Boolean):
        return _whole(raw)
    if column.kind is Kind.BOOLEAN and raw.dtype == pl.Boolean:
        return Parsed(raw, None)
    if column.kind is Kind.TIME:
        if raw.dtype in (pl.Date, pl.Datetime):
            return Parsed(_instants(raw), None)
        if raw.dtype.is_numeric() and (column.time_format or "").startswith("epoch"):
            return _judged(parse_times(raw.cast(pl.String), column.time_format), raw)
    text = _as_text(raw)
    if column.kind in (Kind.CATEGORY, Kind.TEXT, Kind.ID, Kind.IMAGE):
        return Parsed(_clean(text, column), None)
    return _parse(text, column, ".")


def _whole(raw: pl.Series) -> Parsed:
    if raw.dtype.is_integer():
        return _judged(raw.cast(pl.Int64, strict=False), raw)
    if raw.dtype == pl.Boolean:
        return Parsed(raw.cast(pl.Int64), None)
    floats = raw.cast(pl.Float64)
    whole = ((floats == floats.floor()) & (floats >= _LEAST) & (floats < _GREATEST)).fill_null(value=False)
    return _judged(hide(floats, ~whole).cast(pl.Int64, strict=False), floats)


def _instants(raw: pl.Series) -> pl.Series:
    zone = getattr(raw.dtype, "time_zone", None)
    values = raw.cast(pl.Datetime("us", zone))
    # A time without a zone is taken as UTC.
    return values.dt.convert_time_zone("UTC") if zone else values.dt.replace_time_zone("UTC")


def as_text(raw: pl.Series) -> pl.Series:
    """The text of values that have a type; the same value, the same text. Whole floats lose their `.0`."""
    return _as_text(raw.alias(HARMLESS)).alias(raw.name)


def _as_text(raw: pl.Series) -> pl.Series:
    if raw.dtype == pl.String:
        return raw
    if isinstance(raw.dtype, pl.Categorical | pl.Enum):
        return raw.cast(pl.String)
    if raw.dtype == pl.Boolean:
        return raw.cast(pl.String)
    if raw.dtype == pl.Binary:
        return raw.bin.encode("hex")
    if raw.dtype.is_float():
        whole = (raw == raw.floor()) & (raw.abs() < 2**53)
        return (
            raw.cast(pl.Int64, strict=False)
            .cast(pl.String)
            .zip_with(whole.fill_null(value=False), raw.cast(pl.String))
        )
    if isinstance(raw.dtype, pl.Struct):
        return raw.struct.json_encode()
    if isinstance(raw.dtype, pl.List | pl.Array):
        wrapped = raw.to_frame("v").to_struct("s").struct.json_encode()
        return hide(wrapped.str.slice(5).str.head(-1), raw.is_null())
    if raw.dtype == pl.Datetime or raw.dtype == pl.Date:
        return _instants(raw).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    if raw.dtype == pl.Duration:
        return raw.dt.to_string("iso")
    return raw.cast(pl.String)
