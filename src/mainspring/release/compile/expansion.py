"""Transformers that make more columns of numbers: functions, products, bins."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.registry import transformer
from mainspring.release.compile.table import Column, Compilation, Table

_DOUBLE = 11  # TensorProto.DOUBLE


@transformer("sklearn.FunctionTransformer")
def _function(compilation: Compilation, estimator: Any, table: Table) -> Table:
    function = estimator.func
    if function is None or _only_checks(function):
        return table
    if estimator.kw_args:
        raise NotCompilable("FunctionTransformer(kw_args=…) has no compiled form")
    tensor = apply_function(compilation, function, compilation.matrix(table), len(table))
    if tensor is None:
        name = getattr(function, "__name__", type(function).__name__)
        raise NotCompilable(
            f"FunctionTransformer({name}) runs Python code",
            cure="use a numpy function (log1p, log, sqrt, square, abs, exp, …) to have it compiled",
        )
    return compilation.columns(tensor, table)


def apply_function(compilation: Compilation, function: Any, tensor: str, width: int) -> str | None:
    """The tensor after a numpy function that has an exact form; None if the function is not one of them."""
    write = next((write for ufunc, write in _FUNCTIONS if function is ufunc), None)
    return None if write is None else write(compilation, tensor, width)


@transformer("sklearn.PolynomialFeatures")
def _polynomial(compilation: Compilation, estimator: Any, table: Table) -> Table:
    graph = compilation.graph
    matrix = compilation.matrix(table)
    powers = estimator.powers_
    height = int(powers.sum(axis=1).max(initial=0))
    one = len(table)  # the place of a column of ones
    factors = [[place for place, power in enumerate(row) for _ in range(power)] for row in powers]
    ones = graph.op("Add", compilation.zeros(), graph.constant(1.0), width=1)
    wide = graph.op("Concat", matrix, ones, width=one + 1, axis=1)
    product: str | None = None
    # From the last factor to the first, as scikit-learn multiplies a product of lower degree by one more column.
    for place in range(height - 1, -1, -1):
        chosen = [row[place] if place < len(row) else one for row in factors]
        factor = graph.op("Gather", wide, graph.vector(*chosen), width=len(chosen), axis=1)
        product = factor if product is None else graph.op("Mul", factor, product, width=len(chosen))
    if product is None:
        product = graph.op("Gather", wide, graph.vector(*[one] * len(factors)), width=len(factors), axis=1)
    return compilation.columns(product)


@transformer("sklearn.KBinsDiscretizer")
def _bins(compilation: Compilation, estimator: Any, table: Table) -> Table:
    graph = compilation.graph
    inner = [edges[1:-1] for edges in estimator.bin_edges_]
    repeated = [column for column, edges in zip(table, inner, strict=True) for _ in edges]
    bins = estimator.n_bins_
    if repeated:
        above = graph.op(
            "GreaterOrEqual",
            compilation.matrix(repeated),
            graph.constant(np.concatenate(inner)),
            width=len(repeated),
        )
        above = graph.op("Cast", above, width=len(repeated), to=_DOUBLE)
        sums = np.zeros((len(repeated), len(table)))
        sums[np.arange(len(repeated)), np.repeat(np.arange(len(table)), [len(edges) for edges in inner])] = 1.0
        ordinal = graph.op("MatMul", above, graph.constant(sums), width=len(table))
    else:
        ordinal = graph.op("Mul", compilation.matrix(table), graph.constant(0.0), width=len(table))
    columns = [Column(ordinal, place, raw=column.raw) for place, column in enumerate(table)]
    if estimator.encode == "ordinal":
        return columns
    spread = [column for column, count in zip(columns, bins, strict=True) for _ in range(count)]
    wanted = np.concatenate([np.arange(count) for count in bins]).astype(np.float64)
    hot = graph.op("Equal", compilation.matrix(spread), graph.constant(wanted), width=len(spread))
    return compilation.columns(graph.op("Cast", hot, width=len(spread), to=_DOUBLE), spread)


def _only_checks(function: Any) -> bool:
    """`check_array` with settings, which HistGradientBoosting puts before its numbers, changes none of them."""
    inner = getattr(function, "func", None)
    return getattr(inner, "__name__", "") == "check_array" and getattr(inner, "__module__", "").startswith(
        "sklearn."
    )


_Writer = Callable[[Compilation, str, int], str]


def _plain(kind: str) -> _Writer:
    return lambda compilation, tensor, width: compilation.graph.op(kind, tensor, width=width)


def _log1p(compilation: Compilation, tensor: str, width: int) -> str:
    # log(1 + x) · x / ((1 + x) - 1), and x where 1 + x rounds to 1: right to the last places for small x too.
    graph = compilation.graph
    one = graph.constant(1.0)
    above = graph.op("Add", tensor, one, width=width)
    rounded = graph.op("Sub", above, one, width=width)
    exact = graph.op("Equal", rounded, graph.constant(0.0), width=width)
    ratio = graph.op("Div", tensor, graph.op("Where", exact, one, rounded, width=width), width=width)
    value = graph.op("Mul", graph.op("Log", above, width=width), ratio, width=width)
    return graph.op("Where", exact, tensor, value, width=width)


def _expm1(compilation: Compilation, tensor: str, width: int) -> str:
    # tanh(x / 2) · (exp(x) + 1) loses nothing near 0, where exp(x) - 1 does.
    graph = compilation.graph
    half = graph.op("Tanh", graph.op("Mul", tensor, graph.constant(0.5), width=width), width=width)
    raised = graph.op("Exp", tensor, width=width)
    small = graph.op("Mul", half, graph.op("Add", raised, graph.constant(1.0), width=width), width=width)
    great = graph.op("Sub", raised, graph.constant(1.0), width=width)
    near = graph.op("Less", graph.op("Abs", tensor, width=width), graph.constant(0.5), width=width)
    return graph.op("Where", near, small, great, width=width)


def _power(exponent: float) -> _Writer:
    def write(compilation: Compilation, tensor: str, width: int) -> str:
        if exponent == 2.0:
            return compilation.graph.op("Mul", tensor, tensor, width=width)
        return compilation.graph.op("Div", compilation.graph.constant(1.0), tensor, width=width)

    return write


_FUNCTIONS: list[tuple[Any, _Writer]] = [
    (np.log1p, _log1p),
    (np.expm1, _expm1),
    (np.log, _plain("Log")),
    (np.exp, _plain("Exp")),
    (np.sqrt, _plain("Sqrt")),
    (np.abs, _plain("Abs")),
    (np.sign, _plain("Sign")),
    (np.floor, _plain("Floor")),
    (np.ceil, _plain("Ceil")),
    (np.tanh, _plain("Tanh")),
    (np.square, _power(2.0)),
    (np.reciprocal, _power(-1.0)),
]
