"""The holdout: the rows that no training ever sees, so that a champion and its challengers meet on equal terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import values_of
from mainspring.data.labelled_rows import ANSWERED
from mainspring.errors import DataError
from mainspring.training.stable_hash import hash_key, hash_rows

Mask = NDArray[np.bool_]

_SHOWN = 5
_WHOLE = float(2**64)


@dataclass(frozen=True, slots=True)
class Holdout:
    """Which rows are held out, and by which rule.

    Attributes:
        mask: [n], true where the row is held out.
        split: the rule as plain data; `apply_split` gives the same rows again. `{"kind": "time", "column": …,
            "cut": microseconds since the epoch, "share": …}`, `{"kind": "hash", "column": … or None, "share": …}`,
            or `{"kind": "answered", "cut": …, "share": …}`: what the model was asked from that moment on.
    """

    mask: Mask
    split: dict[str, Any]


def assign_holdout(
    frame: pl.DataFrame, *, share: float, time: str | None = None, key: str | None = None
) -> Holdout:
    """Hold out the newest part by the time column; without one, the rows whose key hashes into the share.

    Rows of the same time, or of the same key, are always on one side. Without key and time the row's whole
    content is hashed, so that equal rows are on one side.

    Args:
        frame: n rows.
        share: of the rows, between 0 and 1.
        time: the column that says when the row happened.
        key: the column that names a row.

    Raises:
        DataError: a time is missing, or one side has no rows.

    Examples:
        >>> found = assign_holdout(pl.DataFrame({"day": [1, 4, 2, 3]}).cast(pl.Datetime), share=0.25, time="day")
        >>> found.mask.tolist(), found.split["kind"]
        ([False, True, False, False], 'time')
    """
    if time is not None:
        split: dict[str, Any] = {"kind": "time", "column": time, "cut": _cut(frame, time, share), "share": share}
    else:
        split = {"kind": "hash", "column": key, "share": share}
    mask = apply_split(frame, split)
    if mask.all() or not mask.any():
        raise DataError(
            f"of {frame.height:,} rows {int(mask.sum()):,} fall into the holdout, which leaves one side empty",
            cure=_cure(frame, split),
            where={"rows": frame.height, "column": split["column"]},
        )
    return Holdout(mask, split)


def _cure(frame: pl.DataFrame, split: dict[str, Any]) -> str:
    if split["kind"] == "time":
        return "give rows of more than one time, or another time column"
    key = split["column"]
    distinct = frame.height if key is None else values_of(frame, key).n_unique()
    if distinct * 2 > frame.height:
        return "give more rows"
    return f"name another key in model.py: {key!r} has {distinct:,} different values in all rows"


def apply_split(frame: pl.DataFrame, split: dict[str, Any]) -> Mask:
    """The rows [n] that a rule holds out: also those of a rule that was made for other rows.

    Columns whose names begin with two underscores are not of the rows' content.

    A champion has not seen the rows that its own rule holds out; so `apply_split(frame, champion's) &
    apply_split(frame, challenger's)` are the rows unseen by both.

    Raises:
        DataError: the rule's column is not there, or a time is missing.
    """
    if split["kind"] == "time":
        return times_of(frame, split["column"]) >= int(split["cut"])
    if split["kind"] == "answered":
        return _asked_from(frame, int(split["cut"]))
    content = frame.drop([name for name in frame.columns if name.startswith("__")])
    hashes = hash_rows(content) if split["column"] is None else _hash_keys(content, split["column"])
    return hashes.astype(np.float64) / _WHOLE < float(split["share"])


def _asked_from(frame: pl.DataFrame, cut: int) -> Mask:
    """The rows that came from production at or after a moment; none where no row did."""
    if ANSWERED not in frame.columns:
        return np.zeros(frame.height, dtype=np.bool_)
    asked = frame.get_column(ANSWERED).cast(pl.Datetime("us")).cast(pl.Int64)
    return (asked >= cut).fill_null(value=False).to_numpy()


def times_of(frame: pl.DataFrame, column: str) -> NDArray[np.int64]:
    """The times [n] in microseconds since the epoch; of a column of plain numbers whole numbers in their order.

    Raises:
        DataError: there is no such column, or a time is missing.
    """
    series = values_of(_having(frame, column), column)
    missing = series.is_null()
    if missing.any():
        rows = [row + 1 for row in missing.arg_true().head(_SHOWN).to_list()]
        shown = ", ".join(map(str, rows))
        raise DataError(
            f"the time column {column!r} is missing in {int(missing.sum()):,} of {frame.height:,} rows, "
            f"first in {'rows' if len(rows) > 1 else 'row'} {shown}",
            cure="fill the times in, leave these rows out, or choose another time column",
            where={"column": column, "row": rows[0], "rows": int(missing.sum())},
        )
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us"))
    elif series.dtype.is_float():
        return _in_order(series.to_numpy().astype(np.float64, copy=False))
    elif not series.dtype.is_integer():
        raise DataError(
            f"the time column {column!r} holds {series.dtype}, not times",
            cure="declare it a time in schema.toml, or choose another time column",
            where={"column": column},
        )
    return series.cast(pl.Int64).to_numpy().astype(np.int64, copy=False)


def _in_order(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers that compare as the doubles do: their bits, with those of negative ones turned round."""
    bits = (numbers + 0.0).view(np.int64)  # adding 0.0 makes +0.0 of -0.0
    return np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)


def _cut(frame: pl.DataFrame, time: str, share: float) -> int:
    """The first held-out time: of the two edges of the tie at the wanted place the nearer one."""
    ordered = np.sort(times_of(frame, time))
    if not ordered.size or ordered[0] == ordered[-1]:
        raise DataError(
            f"the time column {time!r} has one value in all {ordered.size:,} rows: there is no newest part",
            cure="choose another time column, or none",
            where={"column": time},
        )
    wanted = min(max(round(ordered.size * (1 - share)), 1), ordered.size - 1)
    edges = [int(np.searchsorted(ordered, ordered[wanted], side)) for side in ("left", "right")]
    usable = [edge for edge in edges if 0 < edge < ordered.size]
    return int(ordered[min(usable, key=lambda edge: abs(edge - wanted))])


def _hash_keys(frame: pl.DataFrame, column: str) -> NDArray[np.uint64]:
    missing = values_of(_having(frame, column), column).is_null().to_numpy()
    hashes = hash_key(frame.get_column(column))
    if missing.any():  # a row without a name is told by its content
        hashes[missing] = hash_rows(frame.filter(missing))
    return hashes


def _having(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    if name not in frame.columns:
        raise DataError(
            f"there is no column {name!r} to split by",
            cure=f"name one of: {', '.join(frame.columns)}",
            where={"column": name},
        )
    return frame
