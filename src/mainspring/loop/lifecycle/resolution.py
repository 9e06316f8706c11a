"""What a declared model means for a given schema: its task, its features, its key and time columns."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.domain.model import Model
from mainspring.domain.rollout import CLASS_METRICS, NUMBER_METRICS
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.task import Task
from mainspring.errors import DeclarationError, TargetError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.training.dataset import TrainingData

_FEATURE_KINDS = frozenset({Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY})


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The declared model with nothing left open."""

    task: Task
    target: str
    features: tuple[str, ...]
    key: str | None
    time: str | None
    metric: str


def resolve(model: Model, schema: Schema) -> ResolvedModel:
    """Fill in what the declaration leaves to the data.

    Raises:
        TargetError: the target is not a column.
        DeclarationError: a named feature, key, time or slice is not a column, or the task does not fit the target.
    """
    if model.target not in schema:
        raise TargetError(
            f"the target {model.target!r} is not a column of {model.source.locations[0]}",
            cure=_instead(model.target, schema) or f"set target= in model.py to one of: {', '.join(schema.names)}",
            where={"column": model.target},
        )
    slices = [name for entry in model.slices for name in ((entry,) if isinstance(entry, str) else entry)]
    slices += [name for gate in model.gates for name in gate.slicing]
    named = {
        "feature": model.features or (),
        "excluded column": model.exclude,
        "key": [model.source.key] if model.source.key else [],
        "time column": [model.source.time] if model.source.time else [],
        "slice": slices,
    }
    for role, names in named.items():
        for name in names:
            if name not in schema:
                raise DeclarationError(
                    f"the {role} {name!r} in model.py is not a column of {model.source.locations[0]}",
                    cure=_instead(name, schema) or f"use one of: {', '.join(schema.names)}",
                    where={"column": name},
                )
    task = _task(model, schema[model.target])
    _check_rollout(model, task)
    reserved = {model.target, model.source.key, model.source.time, *model.exclude}
    features = (
        tuple(model.features)
        if model.features is not None
        else tuple(
            column.name for column in schema if column.name not in reserved and column.kind in _FEATURE_KINDS
        )
    )
    if not features:
        raise DeclarationError("the model has no features", cure="name some with features=[…] in model.py")
    return ResolvedModel(
        task, model.target, features, model.source.key, model.source.time, model.primary_metric(task)
    )


def _check_rollout(model: Model, task: Task) -> None:
    metric = None if model.rollout is None else model.rollout.metric
    wrong, right = (CLASS_METRICS, NUMBER_METRICS) if task is Task.REGRESSION else (NUMBER_METRICS, CLASS_METRICS)
    if metric in wrong:
        raise DeclarationError(
            f"Rollout(metric={metric!r}) cannot be measured on a {task} model",
            cure=f"use one of {', '.join(right)}, or the name of a business outcome",
        )


def _instead(name: str, schema: Schema) -> str:
    near = difflib.get_close_matches(name, schema.names, 1)
    return f"did you mean {near[0]!r}?" if near else ""


def training_data(
    rows: pl.DataFrame, model: Model, schema: Schema, *, split: dict[str, Any] | None = None
) -> TrainingData:
    """A snapshot's rows as the model declares them, for a run, a refit and a comparison alike.

    Args:
        split: the rule that holds rows out, where it is not for the model to make one.

    Raises: as `resolve` and `training.dataset.prepare` do.
    """
    from mainspring.training.dataset import prepare

    resolved = resolve(model, schema)
    return prepare(
        rows,
        model,
        schema,
        task=resolved.task,
        features=resolved.features,
        key=resolved.key,
        time=resolved.time,
        split=split,
    )


def _task(model: Model, target: Column) -> Task:
    """The declared task, else the one that the target's kind suggests."""
    continuous = target.kind in (Kind.NUMBER, Kind.TIME)
    if model.task is not None:
        task = Task(model.task)
        if task is Task.REGRESSION and not target.kind.is_numeric:
            raise DeclarationError(
                f"the task is regression, but the target {target.name!r} is of kind {target.kind}",
                cure='set task="binary" or task="multiclass" in model.py, or mend its kind in schema.toml',
                where={"column": target.name},
            )
        return task
    if continuous:
        return Task.REGRESSION
    if target.kind is Kind.BOOLEAN:
        return Task.BINARY
    if target.kind is Kind.CATEGORY:
        return Task.BINARY if len(target.categories or ()) == 2 else Task.MULTICLASS
    if target.kind is Kind.INTEGER:
        return Task.BINARY if (target.minimum, target.maximum) == (0, 1) else Task.REGRESSION
    raise TargetError(
        f"the target {target.name!r} is of kind {target.kind}, which no model can predict",
        cure="choose another target, or set its kind in schema.toml to number, integer, boolean or category",
        where={"column": target.name},
    )
