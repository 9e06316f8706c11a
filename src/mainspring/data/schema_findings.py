"""A broken promise of the schema in words, with the cure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.promises import NUMERAL
from mainspring.data.schema_checks import DTYPES, Broken
from mainspring.data.showing import SHOWN, missing_count, plain_value
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Severity

_ALWAYS = ("wrong-type", "check-failed", NUMERAL)  # errors, whatever the column says


def finding_of(
    broken: Broken, frame: pl.DataFrame, numbers: pl.Series, now: datetime, file: str = "schema.toml"
) -> Finding:
    """The broken promise in words.

    Args:
        frame: the rows [n] that were checked.
        numbers: their numbers [n], for the examples.
        file: of the schema.
    """
    column, values = broken.column, values_of(frame, broken.column.name)
    message, cure = _words(broken, values, now, file)
    return Finding(
        code=broken.code,
        severity=Severity.ERROR if broken.code in _ALWAYS else column.severity,
        column=column.name,
        message=message,
        cure=cure,
        rows=None if broken.rows is None else int(broken.rows.sum()),
        examples=() if broken.rows is None else _examples(broken.code, values, numbers, broken.rows),
    )


def _words(broken: Broken, values: pl.Series, now: datetime, file: str) -> tuple[str, str]:
    column, rows = broken.column, values.len()
    entry = f"of {column.name!r} in {file}"
    bad = values.filter(broken.rows) if broken.rows is not None else values
    some = f"{bad.len():,} of {rows:,} rows"
    missing = missing_count(values)
    match broken.code:
        case "missing-not-allowed":
            return f"missing in {some}, where no value may be", f"fill them in, or set `nullable = true` {entry}"
        case "missing-share":
            share = missing / rows
            return (
                f"missing in {share:.2%} of the rows ({missing:,} of {rows:,}), "
                f"more than the allowed {column.max_missing_share:.2%}",
                f"mend the source, or set `max_missing_share = {min(1.0, share * 1.1):.3g}` {entry}",
            )
        case "below-minimum":
            return _beyond(some, "below the minimum", column.minimum, bad.min(), f"`minimum = {{}}` {entry}")
        case "above-maximum":
            return _beyond(some, "above the maximum", column.maximum, bad.max(), f"`maximum = {{}}` {entry}")
        case "unknown-category":
            new = bad.n_unique()
            return (
                f"{some} have {'a value' if new == 1 else f'{new:,} values'} not among the "
                f"{len(column.categories or ()):,} known ones",
                f"mend these rows, or add the new value{'' if new == 1 else 's'} to `categories` {entry}",
            )
        case "not-unique":
            return (
                f"{some} share their value with another row ({bad.n_unique():,} values)",
                f"drop the copies, or set `unique = false` {entry}",
            )
        case "not-finite":
            return f"infinite in {some}", f"mend these rows, or make their text mean missing in {file}"
        case "not-a-numeral":
            return (
                f"{some} are no whole numbers in plain digits, e.g. {plain_value(bad[0])!r}",
                f"write them as 17, not 017 or 17.0, or set `numerals = false` {entry}: then a number in a "
                "request names nothing, and texts are taken as they are",
            )
        case "stale":
            return (
                f"the newest value is {plain_value(values.max())}, at {now.isoformat(timespec='seconds')} "
                f"older than the allowed {column.freshness}",
                f"bring newer rows, or change `freshness` {entry}",
            )
        case "wrong-type":
            return (
                f"the column holds {values.dtype} and should hold {DTYPES[column.kind]} ({column.kind})",
                f"read the source again, or change `kind` {entry}",
            )
    return f"a check could not be made: {broken.detail}", f"look at the column's entry {entry}"


def _examples(code: str, values: pl.Series, numbers: pl.Series, rows: pl.Series) -> tuple[dict[str, Any], ...]:
    cases = pl.DataFrame({"row": numbers, "value": values}).filter(rows)
    if code == "unknown-category":
        cases = cases.unique("value", keep="first", maintain_order=True)
    return tuple(
        {"row": row} if value is None else {"row": row, "value": plain_value(value)}
        for row, value in cases.head(SHOWN).iter_rows()
    )


def _beyond(some: str, where: str, bound: Any, farthest: Any, entry: str) -> tuple[str, str]:
    value = plain_value(farthest)
    message = f"{some} are {where} {bound} (the farthest is {value})"
    if isinstance(farthest, float) and not math.isfinite(farthest):
        return message, "mend these rows"
    return message, "mend these rows, or set " + entry.format(f'"{value}"' if isinstance(value, str) else value)
