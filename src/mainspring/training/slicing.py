"""The groups of rows on which a model is judged separately."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import values_of
from mainspring.domain.schema import Schema
from mainspring.errors import DeclarationError

MISSING = "(missing)"
_MOST_NUMBERS = 12  # a number with more distinct values is cut into quarters


def slice_values(frame: pl.DataFrame, columns: Sequence[str], schema: Schema) -> dict[str, NDArray[Any]]:
    """Per column the slice of each row as text [n].

    A number with many values is cut at its quartiles, a time by its calendar month; a missing value is a slice
    of its own.

    Raises:
        DeclarationError: there is no such column.

    Examples:
        >>> slice_values(pl.DataFrame({"device": ["tv", None]}), ["device"], Schema())["device"].tolist()
        ['tv', '(missing)']
    """
    return {name: _slices(frame, name, schema) for name in columns}


def each_slice(
    slices: Mapping[str, NDArray[Any]], by: Sequence[str]
) -> Iterator[tuple[dict[str, str], NDArray[np.int64]]]:
    """Each combination of values that occurs, in sorted order, with its rows' places.

    Examples:
        >>> found = each_slice({"device": np.array(["tv", "phone", "tv"])}, ["device"])
        >>> [(name, rows.tolist()) for name, rows in found]
        [({'device': 'phone'}, [1]), ({'device': 'tv'}, [0, 2])]
    """
    arrays = [slices[name] for name in by]
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, values in enumerate(zip(*arrays, strict=True)):
        groups.setdefault(tuple(str(value) for value in values), []).append(place)
    for values in sorted(groups):
        yield dict(zip(by, values, strict=True)), np.array(groups[values], dtype=np.int64)


def _slices(frame: pl.DataFrame, name: str, schema: Schema) -> NDArray[Any]:
    if name not in frame.columns:
        raise DeclarationError(
            f"the model is sliced by {name!r}, which is no column",
            cure=f"use one of: {', '.join(schema.names or frame.columns)}",
            where={"column": name},
        )
    series = values_of(frame, name)
    if series.dtype.is_temporal():
        texts = series.dt.strftime("%Y-%m")
    elif series.dtype == pl.Boolean:
        texts = series.replace_strict({True: "true", False: "false"}, default=None, return_dtype=pl.String)
    elif series.dtype.is_numeric() and series.n_unique() > _MOST_NUMBERS:
        texts = _quarters(series)
    else:
        texts = series.cast(pl.String)
    array = np.empty(series.len(), dtype=object)
    array[:] = texts.fill_null(MISSING).to_list()
    return array


def _quarters(series: pl.Series) -> pl.Series:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = values[np.isfinite(values)]
    if not known.size:
        return pl.Series(series.name, [None] * series.len(), dtype=pl.String)
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    names = [
        f"< {edges[0]:g}",
        *(f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)),
        f"≥ {edges[-1]:g}",
    ]
    places = np.searchsorted(edges, values, side="right")
    return pl.Series(
        series.name,
        [None if np.isnan(v) else names[p] for v, p in zip(values, places, strict=True)],
        dtype=pl.String,
    )
