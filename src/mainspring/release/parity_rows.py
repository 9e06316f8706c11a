"""The rows on which a compiled model is compared with its original."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from mainspring.data.columns import columns_of, values_of
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.release.compile.compiler import Compiled
from mainspring.release.compile.edges import Edges, edges_of
from mainspring.release.encoding_frames import frame_to_matrix
from mainspring.release.runtimes.onnx import OnnxRuntime

# Rows that look for nodes to reach; more reach no more nodes worth speaking of.
_SCOUTS = 20_000
# Edge rows at most; a forest of millions of splits is sampled.
_EDGES = 200_000
_CHANGED = 60  # rows changed for each way of changing a field

_UNSEEN = ("unseen", "", " ", "?", "ünsëen ✓ 東京", "0", "nan", "None")
_EXTREME_NUMBERS = (
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-35,
    -1e-35,
    2e-35,
    1e-300,
    1e9,
    -1e9,
    1e18,
    -1e18,
    1e38,
    -1e38,
    1e300,
    -1e300,
)
_EXTREME_INTEGERS = (0, 1, -1, 2**31, 2**53, -(2**53), 2**53 + 1, 2**63 - 1, -(2**63))
_EXTREME_TIMES = (0, 1, -1, -62_135_596_800_000_000, 253_402_300_799_999_999)  # microseconds: 0001 and 9999


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind.

    Attributes:
        name: continues "… on a row".
        may_be_refused: the original need not take them, since no training row was like them.
    """

    name: str
    frame: pl.DataFrame
    may_be_refused: bool = False


def every_kind_of_row(compiled: Compiled, rows: pl.DataFrame, minimum: int, seed: int) -> Iterator[Rows]:
    """The given rows and all that are made of them, each kind by itself."""
    fields = compiled.fields
    rows = columns_of(rows, [field.name for field in fields])
    random = np.random.default_rng(seed)
    yield Rows("as given", rows)
    mixed = _mixed(rows, max(minimum - rows.height, minimum // 5), random)
    yield Rows("mixed of several", mixed)
    for field in fields:
        yield from _changed_in(field, rows, random)
    optional = [field for field in fields if not field.required]
    if len(optional) > 1:
        empty = rows.head(1).with_columns(
            pl.lit(None, rows.schema[field.name]).alias(field.name) for field in optional
        )
        yield Rows("with every value missing", empty, may_be_refused=True)
    everything = pl.concat([rows, mixed])
    yield from _beside_splits(compiled, everything, random)


def _mixed(rows: pl.DataFrame, count: int, random: np.random.Generator) -> pl.DataFrame:
    """Rows of which each value comes from one of the given rows, a fifth of them from another one."""
    base = random.integers(0, rows.height, count)
    columns = {}
    for name in rows.columns:
        other = random.integers(0, rows.height, count)
        columns[name] = values_of(rows, name).gather(np.where(random.random(count) < 0.2, other, base))
    return pl.DataFrame(columns)


def _changed_in(field: InputField, rows: pl.DataFrame, random: np.random.Generator) -> Iterator[Rows]:
    dtype = rows.schema[field.name]

    def planted(values: list[Any]) -> pl.DataFrame:
        count = max(_CHANGED, len(values))
        frame = rows[random.integers(0, rows.height, count)]
        return frame.with_columns(_series(field, dtype, [values[i % len(values)] for i in range(count)]))

    if not field.required:
        yield Rows(f"with {field.name!r} missing", planted([None]), may_be_refused=True)
    if field.kind is Kind.NUMBER:
        for value in _EXTREME_NUMBERS:
            yield Rows(f"with {field.name!r} at {value:g}", planted([value]), may_be_refused=True)
    elif field.kind is Kind.INTEGER:
        for whole in _EXTREME_INTEGERS:
            yield Rows(f"with {field.name!r} at {whole}", planted([whole]), may_be_refused=True)
    elif field.kind is Kind.TIME:
        yield Rows(f"with {field.name!r} far away", planted(list(_EXTREME_TIMES)), may_be_refused=True)
    elif field.kind is Kind.BOOLEAN:
        yield Rows(f"with {field.name!r} true or false", planted([True, False]))
    else:
        known = list(field.vocabulary or ())
        yield Rows(f"with {field.name!r} at a value never seen", planted(list(_UNSEEN)))
        if known:
            yield Rows(f"with {field.name!r} at a known value", planted(known))


def _beside_splits(compiled: Compiled, rows: pl.DataFrame, random: np.random.Generator) -> Iterator[Rows]:
    if not compiled.sites:
        return
    scouts = rows
    if rows.height > _SCOUTS:
        scouts = rows[np.sort(random.choice(rows.height, _SCOUTS, replace=False))]
    matrix = frame_to_matrix(scouts, compiled.fields)
    look = OnnxRuntime(compiled.inside, compiled.fields, partly=True)
    edges = edges_of(compiled.sites, look.tensors(matrix, [site.tensor for site in compiled.sites]))
    if len(edges) > _EDGES:
        kept = random.choice(len(edges), _EDGES, replace=False)
        edges = Edges(edges.rows[kept], edges.fields[kept], edges.values[kept])
    for place, field in enumerate(compiled.fields):
        own = edges.fields == place
        if own.any():
            yield from _planted_edges(field, scouts, edges.rows[own], edges.values[own])


def _planted_edges(
    field: InputField, rows: pl.DataFrame, chosen: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> Iterator[Rows]:
    """A field that takes no fractions gets the nearest values to both sides that it takes."""
    dtype = rows.schema[field.name]
    if field.kind is Kind.NUMBER:
        frame = rows[chosen].with_columns(pl.Series(field.name, values).cast(dtype))
        yield Rows(f"beside a split of {field.name!r}", frame, may_be_refused=True)
        return
    if field.kind not in (Kind.INTEGER, Kind.TIME):
        return  # a boolean has only two values
    scaled = values * 1e6 if field.kind is Kind.TIME else values
    possible = np.abs(scaled) < 2.0**53
    low = np.floor(scaled[possible]).astype(np.int64)
    wholes = np.concatenate([low, low + 1])
    frame = rows[np.tile(chosen[possible], 2)].with_columns(pl.Series(field.name, wholes).cast(dtype))
    yield Rows(f"beside a split of {field.name!r}", frame, may_be_refused=True)


def _series(field: InputField, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    return pl.Series(field.name, values, dtype=pl.Int64 if field.kind is Kind.TIME else None).cast(dtype)
