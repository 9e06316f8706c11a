"""What a view's definition says of its keys and vectors in the online store. Standard library and NumPy only."""

from __future__ import annotations

from datetime import timedelta

from mainspring.domain.release import InputField
from mainspring.features.definition import Definition
from mainspring.features.stairs import Window
from mainspring.features.vectors import FeatureSlot, VectorLayout

_MICROSECOND = timedelta(microseconds=1)


def layout_of(definition: Definition) -> VectorLayout:
    """What the view's vectors hold."""
    slots = tuple(
        FeatureSlot(
            feature.name,
            feature.kind,
            feature.default,
            None if feature.aggregation is None else Window.of(feature.aggregation),
        )
        for feature in definition.features
    )
    ttl = None if definition.ttl is None else definition.ttl // _MICROSECOND
    return VectorLayout(definition.name, slots, ttl)


def key_fields(definition: Definition) -> tuple[InputField, ...]:
    """What names an entity, as requests carry it; texts are taken as they are."""
    return tuple(InputField(key.name, key.kind, numerals=key.numerals) for key in definition.keys)
