"""A view's features as inputs of a model, and what a release needs to know of the view."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mainspring.domain.aggregation import AggregateFunction
from mainspring.domain.feature_view import FeatureRef, FeatureView
from mainspring.domain.model import Model
from mainspring.domain.release import InputField, RowPromise, ViewInput, WindowInput
from mainspring.domain.schema import Column, Kind, Personal, Schema, Severity
from mainspring.domain.source import Source
from mainspring.release.inputs import reading_field

if TYPE_CHECKING:
    from mainspring.features.definition import Definition, Key
    from mainspring.features.rows import Offline


def feature_column(offline: Offline, definition: Definition, ref: FeatureRef) -> Column:
    """The column `VIEW.FEATURE`: read as the view's source says where it is one of its columns."""
    kind = definition[ref.name].kind
    origin = _origin(ref.view, ref.name)
    found = Column(ref.column, kind)
    if origin is not None:
        declared = offline.schema(ref.view)[origin]
        if declared.kind is kind:
            found = replace(declared, name=ref.column, nullable=True, unique=False, freshness=None)
    return replace(found, personal=_personal(ref.view, ref.name) or found.personal)


def view_input(
    offline: Offline, definition: Definition, view: FeatureView, model: Model, schema: Schema
) -> ViewInput:
    """What it takes to find the view's features by the key of a request.

    Args:
        schema: of the model's source, whose columns name the keys of requests.
    """
    from mainspring.features.definition import created_column, time_column

    base = view.base
    needed = {*base.keys, time_column(base)}
    rows = (reading_field(column, required=column.name in needed) for column in offline.schema(view))
    return ViewInput(
        view=view.name,
        id=definition.id,
        keys=tuple(_key_field(schema[key.name], key) for key in definition.keys),
        features={ref.name: ref.column for ref in model.view_features if ref.view is view},
        kinds=tuple((feature.name, feature.kind) for feature in definition.features),
        defaults={feature.name: feature.default for feature in definition.features if feature.default is not None},
        ttl=view.ttl,
        windows=tuple(
            WindowInput(one.name, AggregateFunction(one.function), one.column, one.over)
            for one in (feature.aggregation for feature in definition.features)
            if one is not None
        ),
        rows=tuple(rows),
        time=time_column(base),
        created=created_column(base),
        root="" if base is view else base.name,
        promises=tuple(_promise(column) for column in offline.schema(view) if column.severity is Severity.ERROR),
    )


def _promise(column: Column) -> RowPromise:
    categories = column.categories if column.kind is Kind.CATEGORY else None
    return RowPromise(column.name, column.nullable, column.minimum, column.maximum, categories)


def _key_field(column: Column, key: Key) -> InputField:
    """How requests name the entity: read as the model's source is, encoded as the view has it."""
    kind = key.kind if key.numerals else column.kind
    return replace(reading_field(column), kind=kind, numerals=key.numerals)


def _origin(view: FeatureView, feature: str) -> str | None:
    """The column of the source that a feature is; `None` where something is made of it."""
    made = {name for function in view.functions for name in function.gives}
    made |= {aggregation.name for aggregation in view.aggregations}
    if feature in made:
        return None
    return feature if isinstance(view.source, Source) else _origin(view.source, feature)


def _personal(view: FeatureView, feature: str) -> Personal | None:
    """What the view says of it, else the view that it is over."""
    if feature in view.personal or isinstance(view.source, Source):
        return view.personal.get(feature)
    return _personal(view.source, feature)
