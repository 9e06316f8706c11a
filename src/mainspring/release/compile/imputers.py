"""Imputers and missing indicators, of numbers and of texts."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.lookup import look_up
from mainspring.release.compile.registry import transformer
from mainspring.release.compile.table import Column, Compilation, Forward, Table, then

_DOUBLE = 11  # TensorProto.DOUBLE


@transformer("sklearn.SimpleImputer")
def _simple_imputer(compilation: Compilation, imputer: Any, table: Table) -> Table:
    statistics = imputer.statistics_
    if len(statistics) != len(table):
        raise NotCompilable(f"an imputer was fitted on {len(statistics)} columns and now gets {len(table)}")
    keep = [
        place
        for place, fill in enumerate(statistics)
        if imputer.keep_empty_features or not _is_missing(fill, np.nan)
    ]
    numeric = [place for place in keep if table[place].values is None]
    filled: dict[int, Column] = {}
    if numeric:
        fills = np.array([statistics[place] for place in numeric], dtype=np.float64)
        columns = [table[place] for place in numeric]
        filled |= zip(numeric, _fill_numbers(compilation, imputer, columns, fills), strict=True)
    for place in keep:
        column = table[place]
        if column.values is not None:
            values = tuple(
                statistics[place] if _is_missing(value, imputer.missing_values) else value
                for value in column.values
            )
            filled[place] = Column(column.tensor, column.place, raw=column.raw, values=values)
    after = [filled[place] for place in keep]
    if imputer.add_indicator:
        after += _indicate(compilation, imputer.indicator_, table)
    return after


@transformer("sklearn.MissingIndicator")
def _missing_indicator(compilation: Compilation, indicator: Any, table: Table) -> Table:
    return _indicate(compilation, indicator, table)


def _fill_numbers(compilation: Compilation, imputer: Any, table: Table, fills: Any) -> Table:
    graph = compilation.graph
    matrix = compilation.matrix(table)
    absent = _absent(compilation, matrix, imputer.missing_values, len(table))
    tensor = graph.op("Where", absent, graph.constant(fills), matrix, width=len(table))
    # Filling NaN leaves every number where it was; filling another marker does not keep the order.
    step: Forward | None = (lambda values: values) if _is_nan(imputer.missing_values) else None
    return [then(column, step, tensor, place) for place, column in enumerate(table)]


def _indicate(compilation: Compilation, indicator: Any, table: Table) -> Table:
    marker = indicator.missing_values
    after: Table = []
    for place in indicator.features_:
        column = table[place]
        if column.values is None:
            matrix = compilation.matrix([column])
            tensor = compilation.graph.op("Cast", _absent(compilation, matrix, marker, 1), width=1, to=_DOUBLE)
            after.append(Column(tensor, 0, raw=column.raw))
        else:
            flags = np.array([[float(_is_missing(value, marker))] for value in column.values])
            after += look_up(compilation, [column], [flags])
    return after


def _absent(compilation: Compilation, matrix: str, marker: Any, width: int) -> str:
    graph = compilation.graph
    if _is_nan(marker) or marker is None:
        return graph.op("IsNaN", matrix, width=width)
    if isinstance(marker, int | float):
        return graph.op("Equal", matrix, graph.constant(np.float64(marker)), width=width)
    raise NotCompilable(f"an imputer of numbers with missing_values={marker!r} has no compiled form")


def _is_missing(value: object, marker: object) -> bool:
    return _is_nan(value) if _is_nan(marker) else value == marker


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value
