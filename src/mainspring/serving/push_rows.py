"""Frames of pushed rows → rows of the views' tables. Runs in the drainer, never in a gateway worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mainspring.domain.feature_view import VIEW_NAME
from mainspring.domain.schema import Kind
from mainspring.serving.prediction_frames import DamagedFrame
from mainspring.serving.push_record import PushRecord, decode_push

if TYPE_CHECKING:
    import polars as pl


def read_push(frame: bytes) -> PushRecord:
    """Raises `DamagedFrame`."""
    try:
        record = decode_push(frame)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedFrame(f"pushed rows are not what they say: {error}") from error
    if not VIEW_NAME.fullmatch(record.view):  # it names the table
        raise DamagedFrame("rows are pushed to no view")
    width = len(record.columns)
    if len(record.ids) != len(record.rows) or any(len(row) != width for row in record.rows):
        raise DamagedFrame("pushed rows have other columns or ids than they say")
    return record


def pushed_rows(frames: Sequence[bytes]) -> tuple[pl.DataFrame, int]:
    """The rows that these frames about one view are, and how many frames made no sense."""
    # Not before rows are pushed: the drainer has to be small beside the gateway's workers.
    import polars as pl

    from mainspring.features.push import push_frame

    tables, damaged = [], 0
    for frame in frames:
        try:
            said = read_push(frame)
        except DamagedFrame:
            damaged += 1
            continue
        tables.append(push_frame(_typed(said), said.ids, said.at, created=said.created))
    return pl.concat(tables, how="diagonal") if tables else pl.DataFrame(), damaged


def _typed(said: PushRecord) -> pl.DataFrame:
    import polars as pl

    from mainspring.data.parsing import DTYPES

    columns = []
    for place, (name, kind) in enumerate(said.columns):
        values = [row[place] for row in said.rows]
        whole = pl.Int64() if kind is Kind.TIME else DTYPES[kind]
        columns.append(pl.Series(name, values, dtype=whole).cast(DTYPES[kind]))
    return pl.DataFrame(columns)
