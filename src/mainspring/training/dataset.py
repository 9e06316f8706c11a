"""A snapshot's rows as training sees them: features, target, holdout, and the columns to slice by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.estimator_frame import estimator_frame
from mainspring.data.labelled_rows import ANSWERED
from mainspring.data.target import rows_with_target, target_values
from mainspring.domain.finding import Finding
from mainspring.domain.model import Model
from mainspring.domain.schema import Kind, Schema
from mainspring.domain.task import Task
from mainspring.errors import DeclarationError, TargetError
from mainspring.training.slicing import slice_values
from mainspring.training.splitting import apply_split, assign_holdout, times_of

if TYPE_CHECKING:
    import pandas as pd

ROW = "__row"  # the row's number within the snapshot


@dataclass(frozen=True, slots=True)
class TrainingData:
    """n rows that have a target, with k classes (none for a regression).

    Attributes:
        X: the features in order [n, features], as `estimator_frame` makes them.
        y: float64 [n], or int64 [n] class numbers.
        classes: the k labels in order.
        positive: of a binary task the number of the class that counts as positive.
        row: int64 [n], the row's number within the snapshot.
        holdout: bool [n].
        split: the rule that made the holdout, see `splitting.Holdout`.
        kinds: the kind of each feature, in order.
        time: int64 [n], microseconds since the epoch, where there is a time column.
        when: int64 [n], microseconds since the epoch: the time column where it holds times, else when the model
            was asked about the row; those that were never asked come before all others. `None` where neither is
            known.
        slices: per column to slice by, the value of each row as text [n].
        findings: what was odd about the rows, e.g. rows without a target, which are left out.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    classes: tuple[str, ...]
    positive: int | None
    task: Task
    row: NDArray[np.int64]
    holdout: NDArray[np.bool_]
    split: dict[str, Any]
    kinds: tuple[Kind, ...]
    time: NDArray[np.int64] | None = None
    when: NDArray[np.int64] | None = None
    slices: dict[str, NDArray[Any]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def training_features(self) -> pd.DataFrame:
        return self.X.loc[~self.holdout].reset_index(drop=True)

    @property
    def training_target(self) -> NDArray[Any]:
        return self.y[~self.holdout]

    @property
    def training_when(self) -> NDArray[np.int64] | None:
        return None if self.when is None else self.when[~self.holdout]

    @property
    def holdout_features(self) -> pd.DataFrame:
        return self.X.loc[self.holdout].reset_index(drop=True)

    @property
    def holdout_target(self) -> NDArray[Any]:
        return self.y[self.holdout]

    @property
    def holdout_slices(self) -> dict[str, NDArray[Any]]:
        return {name: values[self.holdout] for name, values in self.slices.items()}


def prepare(
    frame: pl.DataFrame,
    model: Model,
    schema: Schema,
    *,
    task: Task,
    features: Sequence[str],
    key: str | None = None,
    time: str | None = None,
    split: dict[str, Any] | None = None,
) -> TrainingData:
    """Make the training data of a snapshot's rows.

    Args:
        frame: the snapshot's rows; with the hidden columns `__row` where the row's number is not its place, and
            `__answered_at` where some of them came from production.
        split: a rule to hold rows out by (a refit takes the release's own) in place of the model's.

    Raises:
        TargetError: the target is absent, constant, missing in all rows, or has too few rows of a class.
        DataError: a feature, the key or the time column is absent, or a time is missing.
        DeclarationError: the model's `positive` is none of the classes, or a slice no column.
    """
    rows, finding = rows_with_target(frame, model.target)
    y, classes = target_values(rows.get_column(model.target), task)
    content = rows.drop([name for name in rows.columns if name.startswith("__")])
    if split is None:
        held = assign_holdout(content, share=model.holdout, time=time, key=key)
        mask, split = held.mask, held.split
    else:
        mask = apply_split(rows, split)
    if task.is_classification:
        _check_sides(y, mask, classes, model.target)
    fields = tuple(schema[name] for name in features)
    return TrainingData(
        X=estimator_frame(rows, fields),
        y=y,
        classes=classes,
        positive=_positive(model, y, classes) if task is Task.BINARY else None,
        task=task,
        row=_row_numbers(rows, frame, model.target),
        holdout=mask,
        split=split,
        kinds=tuple(column.kind for column in fields),
        time=times_of(content, time) if time is not None else None,
        when=moments(rows, time),
        slices=slice_values(rows, _slicing_columns(model), schema),
        findings=(finding,) if finding else (),
    )


def moments(rows: pl.DataFrame, time: str | None) -> NDArray[np.int64] | None:
    """When each row happened (see `TrainingData.when`).

    Examples:
        >>> asked = pl.Series([None, 7, 5]).cast(pl.Datetime("us"))
        >>> moments(pl.DataFrame({"x": [1, 2, 3], ANSWERED: asked}), None).tolist()
        [4, 7, 5]
    """
    if time is not None and time in rows.columns and rows.get_column(time).dtype.is_temporal():
        return times_of(rows, time)
    if ANSWERED not in rows.columns or rows.get_column(ANSWERED).null_count() == rows.height:
        return None
    asked = rows.get_column(ANSWERED).cast(pl.Datetime("us")).cast(pl.Int64).to_numpy().astype(np.float64)
    return np.where(np.isnan(asked), np.nanmin(asked) - 1, asked).astype(np.int64)


def _slicing_columns(model: Model) -> tuple[str, ...]:
    declared: Iterable[str | tuple[str, ...]] = (*model.slices, *(gate.slicing for gate in model.gates))
    names = [name for entry in declared for name in ((entry,) if isinstance(entry, str) else entry)]
    return tuple(dict.fromkeys(names))


def _positive(model: Model, y: NDArray[Any], classes: tuple[str, ...]) -> int:
    """The declared class, else the rarer one, else (where they are as many) the later one."""
    if model.positive is None:
        counts = np.bincount(y, minlength=2)
        return 1 if counts[1] <= counts[0] else 0
    if model.positive not in classes:
        raise DeclarationError(
            f"Model(positive={model.positive!r}) is none of the classes of {model.target!r}",
            cure=f"use one of: {', '.join(classes)}",
            where={"column": model.target},
        )
    return classes.index(model.positive)


def _row_numbers(rows: pl.DataFrame, frame: pl.DataFrame, target: str) -> NDArray[np.int64]:
    if ROW in rows.columns:
        return rows.get_column(ROW).to_numpy().astype(np.int64)
    if rows.height == frame.height:
        return np.arange(rows.height, dtype=np.int64)
    numbered, _ = rows_with_target(frame.with_row_index(ROW), target)
    return numbered.get_column(ROW).to_numpy().astype(np.int64)


def _check_sides(y: NDArray[Any], holdout: NDArray[np.bool_], classes: tuple[str, ...], target: str) -> None:
    """Training must have seen every class; a judgement needs two of them."""
    learnt = np.bincount(y[~holdout], minlength=len(classes))
    if (learnt == 0).any():
        absent = classes[int(np.argmin(learnt))]
        raise TargetError(
            f"all rows of the class {absent!r} of {target!r} fall into the holdout, so it cannot be learnt",
            cure="give more rows of this class, or leave it out",
            where={"column": target},
        )
    if (np.bincount(y[holdout], minlength=len(classes)) > 0).sum() < 2:
        raise TargetError(
            f"the holdout's {int(holdout.sum()):,} rows have one class of {target!r} only: nothing can be judged",
            cure="give more rows, or a greater holdout",
            where={"column": target},
        )
