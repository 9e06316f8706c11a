"""Text → instant, UTC, in microseconds; a text without a zone is taken as UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl

from mainspring.domain.instants import in_utc

INSTANT = pl.Datetime("us", "UTC")

# The forms of ISO 8601 that nearly every file uses; whatever they do not take goes through Python's own reader.
_ISO = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M",
)
_MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
_GREATEST = 253_402_300_800 * 10**6  # the year 10,000
_LEAST = -62_135_596_800 * 10**6  # the year 1


def parse_times(text: pl.Series, time_format: str | None) -> pl.Series:
    """Read instants.

    Args:
        text: n texts.
        time_format: `iso` (also where `None`), `epoch_s`, `epoch_ms`, or a strptime format as Python has it.

    Returns:
        `Datetime("us", "UTC")` [n]; null where the text is null or no instant of that format.

    Examples:
        >>> parse_times(pl.Series(["31.12.2024 23:59"]), "%d.%m.%Y %H:%M").to_list()
        [datetime.datetime(2024, 12, 31, 23, 59, tzinfo=zoneinfo.ZoneInfo(key='UTC'))]
    """
    if time_format in _MICROSECONDS:
        return _epochs(text, _MICROSECONDS[time_format])
    if time_format is None or time_format == "iso":
        return _iso(text)
    return _in_format(text, time_format)


def _epochs(text: pl.Series, per_unit: int) -> pl.Series:
    whole = text.cast(pl.Int64, strict=False)
    floats = text.cast(pl.Float64, strict=False)
    # A whole number stays exact; a fraction of a second is rounded to the microsecond.
    fine = (floats * per_unit).round().cast(pl.Int64, strict=False)
    exact = whole.is_not_null() & (floats.abs() < 2**63 / per_unit).fill_null(value=False)
    micros = (hide(whole, ~exact) * per_unit).zip_with(exact, fine)
    sound = ((micros >= _LEAST) & (micros < _GREATEST)).fill_null(value=False)
    return hide(micros, ~sound).cast(INSTANT)


def _iso(text: pl.Series) -> pl.Series:
    values = _nothing(text, INSTANT)
    # Polars takes a year of fewer than four digits, ISO 8601 does not.
    usual = hide(text, ~text.str.contains(r"^\d{4}-").fill_null(value=False))
    for form in _ISO:
        left = values.is_null() & usual.is_not_null()
        if not left.any():
            break
        values = values.zip_with(~left, _utc(usual.str.to_datetime(form, time_unit="us", strict=False)))
    return _by_python(text, values, datetime.fromisoformat)


def _in_format(text: pl.Series, form: str) -> pl.Series:
    if "%Y" in form:  # Polars takes the year 24 for %Y, Python does not
        text = hide(text, ~text.str.contains(r"(^|\D)\d{4}(\D|$)|\d{8}").fill_null(value=False))
    try:
        values = _utc(text.str.to_datetime(form.replace(".%f", "%.f"), time_unit="us", strict=False))
    except pl.exceptions.PolarsError:  # a directive of Python's that Polars does not know
        values = _nothing(text, INSTANT)
    return _by_python(text, values, lambda each: datetime.strptime(each, form))


def _by_python(text: pl.Series, values: pl.Series, read: Callable[[str], datetime]) -> pl.Series:
    """Read what is left with Python, each different text once."""
    left = values.is_null() & text.is_not_null()
    if not left.any():
        return values
    table: dict[str, datetime] = {}
    for each in text.filter(left).unique().to_list():
        try:
            moment = read(each)
        except ValueError:
            continue
        try:
            table[each] = in_utc(moment)
        except OverflowError:
            continue
    if not table:
        return values
    found = text.replace_strict(
        pl.Series(list(table), dtype=pl.String), pl.Series(list(table.values()), dtype=INSTANT), default=None
    )
    return values.zip_with(~left, found)


def _utc(values: pl.Series) -> pl.Series:
    if getattr(values.dtype, "time_zone", None):
        values = values.dt.convert_time_zone("UTC")
    else:
        values = values.dt.replace_time_zone("UTC")
    micros = values.to_physical()
    # Python knows the years 1 to 9999 only.
    return hide(values, ((micros < _LEAST) | (micros >= _GREATEST)).fill_null(value=False))


def hide(values: pl.Series, mask: pl.Series) -> pl.Series:
    """The values, null where the mask is true."""
    return values.zip_with(~mask, _nothing(values, values.dtype))


def _nothing(like: pl.Series, dtype: pl.DataType) -> pl.Series:
    return pl.Series(like.name, [None], dtype=dtype).new_from_index(0, like.len())
