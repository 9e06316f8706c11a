"""Whether the drifts of many columns, looked at together and again and again, are there and matter."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mainspring.domain.measurement import State
from mainspring.domain.schema import Kind
from mainspring.stats.drift_result import DISTRIBUTION, INFINITE, MISSING, Component, Drift
from mainspring.stats.multiple import holm, is_drift

K = TypeVar("K", bound=Hashable)

MOVING = (Kind.TIME, Kind.ID, Kind.IMAGE)
"""Kinds whose values differ in any two sets of rows: whether they are there is all that is compared."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One way in which a column may have changed, and whether it did.

    Attributes:
        bar: the greatest effect that does not matter.
        p_value: corrected for all that was looked at.
    """

    component: Component
    bar: float
    p_value: float | None
    state: State


def judged(
    drifts: Mapping[K, tuple[Kind, Drift]], alpha: float, at_most: float | None = None
) -> dict[K, tuple[Judged, ...]]:
    """Judge every component of every column, as one family (Holm), the distribution of each column first.

    Args:
        drifts: with the column's kind.
        alpha: the chance of any false finding in the family.
        at_most: the bar of the distributions; the method's own where not given.
    """
    family = [(key, one) for key, (kind, drift) in drifts.items() for one in _compared(kind, drift)]
    corrected = holm([one.p_value for _, one in family])
    found: dict[K, list[Judged]] = {key: [] for key in drifts}
    for (key, one), p_value in zip(family, corrected, strict=True):
        bar = at_most if at_most is not None and one.name == DISTRIBUTION else one.threshold
        if one.effect is None:
            state = State.UNKNOWN
        else:
            state = State.BAD if is_drift(one.effect, bar, p_value, alpha) else State.FINE
        found[key].append(Judged(one, bar, p_value, state))
    return {key: tuple(components) for key, components in found.items()}


def _compared(kind: Kind, drift: Drift) -> tuple[Component, ...]:
    if kind not in MOVING:
        return drift.components
    there = tuple(one for one in drift.components if one.name in (MISSING, INFINITE))
    return there or drift.components  # too few rows even for that
