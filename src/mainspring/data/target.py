"""The target: which column, which rows have one, and the numbers that an estimator learns it as."""

from __future__ import annotations

import difflib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.finding import Finding
from mainspring.domain.schema import Severity
from mainspring.domain.task import Task
from mainspring.errors import TargetError

_SHOWN = 5


def rows_with_target(frame: pl.DataFrame, target: str) -> tuple[pl.DataFrame, Finding | None]:
    """Leave out the rows without a target: nothing can be learnt from them, and nothing be judged by them.

    Returns:
        The rows that have a target, in order, and a warning that counts and names the others (`None` where
        every row has one).

    Raises:
        TargetError: there is no such column, or not one row has a target.

    Examples:
        >>> rows, finding = rows_with_target(pl.DataFrame({"y": [1, None, 2]}), "y")
        >>> rows.height, finding.rows, finding.examples
        (2, 1, ({'row': 2},))
    """
    missing = _missing(_column(frame, target).alias("value"))
    count = int(missing.sum())
    if frame.height == 0:
        raise TargetError("there are no rows to learn from", cure="give data with rows", where={"column": target})
    if count == frame.height:
        raise TargetError(
            f"the target {target!r} is missing in all {count:,} rows",
            cure="name another target, or mend the tokens that mean missing in schema.toml",
            where={"column": target, "rows": count},
        )
    if not count:
        return frame, None
    places = missing.arg_true().head(_SHOWN).to_list()
    finding = Finding(
        code="target-missing",
        severity=Severity.WARNING,
        column=target,
        rows=count,
        message=f"the target is missing in {count:,} of {frame.height:,} rows, which are left out",
        cure="fill the target in, or leave these rows out of the source",
        examples=tuple({"row": place + 1} for place in places),
    )
    return frame.filter(~missing), finding


def target_values(
    series: pl.Series, task: Task
) -> tuple[NDArray[np.float64] | NDArray[np.int64], tuple[str, ...]]:
    """The target as numbers.

    Args:
        series: n values of the target, none of them missing (see `rows_with_target`); its name is the column's.
        task: what is to be learnt.

    Returns:
        For a regression float64 [n] and no classes; for a classification int64 [n], each the index of its class,
        and the classes as text in sorted order (of a boolean: `false`, `true`).

    Raises:
        TargetError: no rows, missing values, infinities, a constant, one row of a class, more or fewer than two
            classes of a binary task, or values that the task cannot have.

    Examples:
        >>> y, classes = target_values(pl.Series("income", [">50K", "<=50K", "<=50K", ">50K"]), Task.BINARY)
        >>> y.tolist(), classes
        ([1, 0, 0, 1], ('<=50K', '>50K'))
    """
    name, series = series.name, series.alias("value")  # polars would take a name such as ^a$ for a pattern
    if series.len() == 0:
        raise TargetError("there are no rows to learn from", cure="give data with rows", where={"column": name})
    missing = int(_missing(series).sum())
    if missing:
        raise TargetError(
            f"the target {name!r} is missing in {missing:,} of {series.len():,} rows",
            cure="leave these rows out, or fill the target in",
            where={"column": name, "rows": missing},
        )
    if series.n_unique() == 1:
        raise TargetError(
            f"the target {name!r} has the same value {class_name(series[0])!r} in all {series.len():,} rows",
            cure="name another target, or give data in which it differs",
            where={"column": name, "rows": series.len()},
        )
    return _numbers(series, name) if task is Task.REGRESSION else _classes(series, name, task)


def _column(frame: pl.DataFrame, target: str) -> pl.Series:
    if target in frame.columns:
        return frame.get_column(target)
    close = difflib.get_close_matches(target, frame.columns, n=1)
    raise TargetError(
        f"there is no column {target!r} to predict",
        cure=f"did you mean {close[0]!r}?" if close else f"name one of: {', '.join(frame.columns)}",
        where={"column": target},
    )


def _missing(series: pl.Series) -> pl.Series:
    if series.dtype.is_float():
        return series.is_null() | series.is_nan().fill_null(value=False)
    return series.is_null()


def _numbers(series: pl.Series, name: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        raise TargetError(
            f"the target {name!r} holds no numbers, e.g. {class_name(series[0])!r}, and the task is regression",
            cure="declare it a number in schema.toml, or a classification in model.py",
            where={"column": name},
        )
    values = series.cast(pl.Float64).to_numpy().astype(np.float64, copy=False)
    infinite = np.flatnonzero(~np.isfinite(values))
    if infinite.size:
        raise TargetError(
            f"the target {name!r} is infinite in {infinite.size:,} rows, first in row {int(infinite[0]) + 1:,}",
            cure="mend these rows, or make their text mean missing in schema.toml",
            where={"column": name, "row": int(infinite[0]) + 1, "rows": int(infinite.size)},
        )
    return values, ()


def _classes(series: pl.Series, name: str, task: Task) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if series.dtype.is_temporal():
        raise TargetError(
            f"the target {name!r} is a time, which is no class",
            cure="name another target, or declare the column a category in schema.toml",
            where={"column": name},
        )
    counts = series.value_counts()
    labels = {value: class_name(value) for value in counts.get_column("value").to_list()}
    classes = tuple(sorted(labels.values()))
    _check_counts(name, task, {labels[value]: count for value, count in counts.iter_rows()})
    index = {label: number for number, label in enumerate(classes)}
    codes = series.replace_strict({value: index[label] for value, label in labels.items()}, return_dtype=pl.Int64)
    return codes.to_numpy().astype(np.int64, copy=False), classes


def _check_counts(name: str, task: Task, counts: dict[str, int]) -> None:
    single = sorted(label for label, count in counts.items() if count == 1)
    if single:
        shown = ", ".join(repr(label) for label in single[:_SHOWN]) + (", …" if len(single) > _SHOWN else "")
        many = len(single) > 1
        raise TargetError(
            f"the target {name!r} has {len(single):,} classes of one row each: {shown}"
            if many
            else f"the target {name!r} has one row only of the class {shown}",
            cure="a class needs at least two rows, one to learn from and one to judge by: "
            + ("declare a regression, or merge rare classes" if many else "give more rows, or leave this one out"),
            where={"column": name, "classes": len(single)},
        )
    if task is Task.BINARY and len(counts) != 2:
        shown = ", ".join(repr(label) for label in sorted(counts)[:_SHOWN])
        more = ", …" if len(counts) > _SHOWN else ""
        raise TargetError(
            f"the target {name!r} has {len(counts):,} classes ({shown}{more}) and the task is binary",
            cure="declare the task multiclass in model.py, or mend the labels",
            where={"column": name, "classes": len(counts)},
        )


def class_name(value: object) -> str:
    """A value of the target as a class is named: `false` and `true` of a boolean, else as Python writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
