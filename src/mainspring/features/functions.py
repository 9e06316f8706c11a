"""What a view's functions give, a piece of the rows at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from mainspring.data.columns import HARMLESS
from mainspring.data.parsing import DTYPES
from mainspring.domain.feature_view import FeatureFunction
from mainspring.domain.schema import Kind
from mainspring.errors import FeatureError, MainspringError
from mainspring.features.moments import as_times

KINDS = {DTYPES[kind]: kind for kind in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TIME)}
"""The kind of what a function gave, by its type in tables."""


def call(
    view: str, function: FeatureFunction, rows: pl.DataFrame, numbers: Sequence[int] | None = None
) -> pl.DataFrame:
    """The features of some rows, each of a type of `KINDS` or, where all are missing, of none.

    Args:
        rows: with the columns of the view's source.
        numbers: of the rows, from 0, for errors.

    Raises:
        FeatureError: the function raised, or gave other rows, other columns, values of no kind, or NaN.
    """
    given = run(view, function.function, rows)
    columns = [
        _checked(view, function, name, values, rows.height, numbers or range(rows.height))
        for name, values in _columns(view, function, given, rows)
    ]
    return pl.DataFrame(columns)


def run(view: str, function: Callable[..., Any], rows: pl.DataFrame) -> Any:
    """What a function of the user's gives.

    Raises:
        FeatureError: it raised.
    """
    try:
        return function(rows)
    except MainspringError:
        raise
    except Exception as error:
        file = function.__code__.co_filename if hasattr(function, "__code__") else ""
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        place = f" in line {lines[-1]}" if lines else ""
        problem = f"raised {type(error).__name__}{place}: {error}"
        raise _wrong(view, function.__name__, problem, "mend it") from error


def _columns(
    view: str, function: FeatureFunction, given: Any, rows: pl.DataFrame
) -> Sequence[tuple[str, pl.Series]]:
    name = function.function.__name__
    if isinstance(given, pl.DataFrame):
        absent = [wanted for wanted in function.gives if wanted not in given.columns]
        if absent:
            raise _wrong(
                view,
                name,
                f"gave no column {absent[0]!r} but {', '.join(map(repr, given.columns)) or 'none'}",
                f"give a frame with {', '.join(map(repr, function.gives))}",
            )
        return [(wanted, given.get_column(wanted)) for wanted in function.gives]
    if len(function.gives) > 1:
        raise _wrong(
            view,
            name,
            f"gave {_article(given)}, not a frame",
            f"give a Polars frame with {', '.join(map(repr, function.gives))}",
        )
    return [(function.gives[0], series_of(view, name, given, rows))]


def series_of(view: str, name: str, given: Any, rows: pl.DataFrame) -> pl.Series:
    """What a function gave as a series.

    Raises:
        FeatureError: it is no series, expression or array, or the expression fails.
    """
    if isinstance(given, pl.Expr):
        try:
            return rows.select(given.alias(HARMLESS)).to_series()
        except pl.exceptions.PolarsError as error:
            problem = f"gave an expression that fails: {str(error).splitlines()[0]}"
            raise _wrong(view, name, problem, "mend it") from error
    if isinstance(given, np.ndarray) and given.ndim == 1:
        return pl.Series(HARMLESS, given)
    if isinstance(given, pl.Series):
        return given
    raise _wrong(
        view, name, f"gave {_article(given)}", "give a Polars series or expression, or an array, one value a row"
    )


def _checked(
    view: str, function: FeatureFunction, feature: str, values: pl.Series, rows: int, numbers: Sequence[int]
) -> pl.Series:
    name = function.function.__name__
    check_length(view, name, values, rows)
    found = _typed(values.alias(HARMLESS))
    if found is None:
        raise _wrong(
            view,
            name,
            f"gave values of type {values.dtype} for {feature!r}",
            "give numbers, booleans, texts or times, all of one type",
        )
    if found.dtype == pl.Float64:
        wrong = ~found.is_finite().fill_null(value=True)
        if wrong.any():
            place = int(wrong.arg_true()[0])
            raise _wrong(
                view,
                name,
                f"gave {found[place]} for {feature!r} in row {numbers[place] + 1:,}",
                "give null where there is no value, e.g. with .fill_nan(None)",
            )
    return found.alias(feature)


def check_length(view: str, name: str, values: pl.Series, rows: int) -> None:
    """Raises `FeatureError` where these are not one value a row."""
    if values.len() != rows:
        raise _wrong(
            view, name, f"gave {values.len():,} values for {rows:,} rows", "give one value a row, in their order"
        )


def _typed(values: pl.Series) -> pl.Series | None:
    """The values of the type that their kind has; `None` where they are of no kind."""
    dtype = values.dtype
    if dtype == pl.Null or dtype in KINDS:
        return values
    if dtype.is_integer():
        whole = values.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == values.null_count() else None
    if dtype.is_float() or dtype.is_decimal():
        return values.cast(pl.Float64)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    return as_times(values)


def _article(given: Any) -> str:
    return "nothing" if given is None else f"an object of type {type(given).__name__}"


def _wrong(view: str, function: str, what: str, cure: str) -> FeatureError:
    return FeatureError(
        f"the function {function!r} of the view {view!r} {what}",
        cure=cure,
        where={"view": view, "function": function},
    )
