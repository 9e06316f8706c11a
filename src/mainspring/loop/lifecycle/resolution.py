"""What a declared model means for a given schema: its task, its features, its key and time columns."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.domain.feature_view import FeatureRef
from mainspring.domain.model import Model
from mainspring.domain.rollout import CLASS_METRICS, NUMBER_METRICS, RANK_METRICS, SHADOW_METRICS
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.task import Task
from mainspring.errors import DeclarationError, TargetError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.training.dataset import TrainingData

_FEATURE_KINDS = frozenset({Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY})


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The declared model with nothing left open.

    Attributes:
        features: what the estimator gets, in order: columns and features of views, then what functions make.
        computed: the last of these, which functions make.
        carried: what requests carry besides for these functions alone.
    """

    task: Task
    target: str
    features: tuple[str, ...]
    key: str | None
    time: str | None
    metric: str
    computed: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that are columns of the source or features of views."""
        return self.features[: len(self.features) - len(self.computed)]

    @property
    def asked(self) -> tuple[str, ...]:
        """What a request carries, in order."""
        return (*self.columns, *self.carried)


def resolve(model: Model, schema: Schema) -> ResolvedModel:
    """Fill in what the declaration leaves to the data.

    Args:
        schema: of the model's source.

    Raises:
        TargetError: the target is not a column.
        DeclarationError: a named feature, key, time or slice is not a column, the task does not fit the target, a
            feature of a view or of a function has the name of a column, or the time as of which features of views
            are wanted is none.
    """
    if model.target not in schema:
        raise TargetError(
            f"the target {model.target!r} is not a column of {model.source.locations[0]}",
            cure=_instead(model.target, schema) or f"set target= in model.py to one of: {', '.join(schema.names)}",
            where={"column": model.target},
        )
    made = _made(model, schema)
    slices = [name for entry in model.slices for name in ((entry,) if isinstance(entry, str) else entry)]
    slices += [name for gate in model.gates for name in gate.slicing]
    views = {ref.column for ref in model.view_features}
    named = {
        "feature": model.plain_features or (),
        "excluded column": model.exclude,
        "key": [model.source.key] if model.source.key else [],
        "time column": [model.source.time] if model.source.time else [],
        "slice": [name for name in slices if name not in made],
        "input of a function": [
            name for function in model.request_features for name in function.inputs if name not in views
        ],
        "key of a view": [name for view in model.views for name in view.keys],
    }
    for role, names in named.items():
        for name in names:
            if name not in schema:
                raise DeclarationError(
                    f"the {role} {name!r} in model.py is not a column of {model.source.locations[0]}",
                    cure=_instead(name, schema) or f"use one of: {', '.join(schema.names)}",
                    where={"column": name},
                )
    _check_time(model, schema)
    task = _task(model, schema[model.target])
    _check_rollout(model, task)
    columns = _columns(model, schema)
    computed = tuple(output for function in model.request_features for output in function.outputs)
    taken = dict.fromkeys(name for function in model.request_features for name in function.inputs)
    if not (columns or computed):
        raise DeclarationError("the model has no features", cure="name some with features=[…] in model.py")
    return ResolvedModel(
        task=task,
        target=model.target,
        features=(*columns, *computed),
        key=model.source.key,
        time=model.source.time,
        metric=model.primary_metric(task),
        computed=computed,
        carried=tuple(name for name in taken if name not in columns),
    )


def _columns(model: Model, schema: Schema) -> tuple[str, ...]:
    """See `ResolvedModel.columns`."""
    if model.features is None:
        reserved = {model.target, model.source.key, model.source.time, *model.exclude}
        return tuple(c.name for c in schema if c.name not in reserved and c.kind in _FEATURE_KINDS)
    named = (entry.column if isinstance(entry, FeatureRef) else entry for entry in model.features)
    return tuple(name for name in named if isinstance(name, str))


def _made(model: Model, schema: Schema) -> set[str]:
    """The features that are no columns of the source."""
    made = [ref.column for ref in model.view_features]
    made += [output for function in model.request_features for output in function.outputs]
    for name in made:
        if name in schema:
            raise DeclarationError(
                f"the feature {name!r} in model.py has the name of a column of {model.source.locations[0]}",
                cure="give it another name",
                where={"column": name},
            )
    return set(made)


def _check_time(model: Model, schema: Schema) -> None:
    """Features of views are as of a row's time."""
    time = model.source.time
    if not model.view_features or time is None or schema[time].kind is Kind.TIME:
        return
    raise DeclarationError(
        f"{model.view_features[0].column!r} is a feature as of a row's time, and {time!r} holds no times but "
        f"values of kind {schema[time].kind}",
        cure=f'write kind = "time" and time_format for {time!r} in schema.toml, or name another column',
        where={"column": time},
    )


def _check_rollout(model: Model, task: Task) -> None:
    metric = None if model.rollout is None else model.rollout.metric
    right = {
        Task.REGRESSION: NUMBER_METRICS,
        Task.BINARY: (*CLASS_METRICS, *RANK_METRICS),
        Task.MULTICLASS: CLASS_METRICS,
    }[task]
    if metric in SHADOW_METRICS and metric not in right:
        raise DeclarationError(
            f"Rollout(metric={metric!r}) cannot be measured on a {task} model",
            cure=f"use one of {', '.join(right)}, or the name of a business outcome",
        )


def _instead(name: str, schema: Schema) -> str:
    near = difflib.get_close_matches(name, schema.names, 1)
    return f"did you mean {near[0]!r}?" if near else ""


def training_data(
    rows: pl.DataFrame,
    model: Model,
    resolved: ResolvedModel,
    schema: Schema,
    *,
    split: dict[str, Any] | None = None,
) -> TrainingData:
    """A snapshot's rows as the model declares them, for a run, a refit and a comparison alike.

    Args:
        schema: of the rows.
        split: the rule that holds rows out, where it is not for the model to make one.

    Raises: as `training.dataset.prepare` does.
    """
    from mainspring.training.dataset import prepare

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
