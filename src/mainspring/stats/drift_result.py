"""What a comparison of one column with its reference found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DISTRIBUTION = "distribution"
MISSING = "missing"
INFINITE = "infinite"
UNSEEN = "unseen"
OUT_OF_RANGE = "out_of_range"

_BEYOND_DOUBT = 1e-12  # smaller p-values say no more; of several such components the first speaks


@dataclass(frozen=True, slots=True)
class Component:
    """One way in which a column may have changed.

    Attributes:
        name: `distribution` (of the values that are there), `missing`, `infinite`, `unseen` or `out_of_range`.
        method: how the effect was measured: `ks`, `psi` …; `share` of the components other than the first.
        effect: how great the change is; `None` where that could not be said, and the note says why.
        threshold: the greatest effect that does not matter.
        p_value: of this component alone.
        example: what changed most, with its share in both: a value (`value`), a range (`from`, `to`; `None` for
            no end), or what the component counts.
    """

    name: str
    method: str
    effect: float | None
    threshold: float
    p_value: float | None
    note: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column is from its reference: its worst component, and all of them.

    Attributes:
        component: the name of the worst one: that with the smallest p-value among those whose effect is above
            its threshold (where several are beyond doubt the first, so the distribution where it is one of them),
            else the distribution.
        method, effect, threshold, note, example: of the worst component.
        p_value: of the worst component, corrected for the number of components that were tested.
        missing_change: the share of missing values less that of the reference.
        out_of_range_share: of the values beyond the reference's smallest and greatest; `None` of no numbers.
        unseen: values that the reference does not have, and how often they came, the most frequent first.
        components: all that were looked at.
    """

    component: str
    method: str
    effect: float | None
    p_value: float | None
    threshold: float
    note: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    missing_change: float | None = None
    out_of_range_share: float | None = None
    unseen: Mapping[str, int] = field(default_factory=dict)
    components: tuple[Component, ...] = ()


def worst_of(components: tuple[Component, ...]) -> Component:
    """The component that speaks for the column; the first is the distribution.

    Examples:
        >>> fine = Component("distribution", "ks", 0.01, 0.05, 0.6)
        >>> bad = Component("missing", "share", 0.4, 0.02, 1e-9)
        >>> worst_of((fine, bad)).name
        'missing'
    """
    above = [one for one in components if one.effect is not None and one.effect > one.threshold]
    return min(above, key=_doubt) if above else components[0]


def _doubt(one: Component) -> float:
    return 1.0 if one.p_value is None else max(one.p_value, _BEYOND_DOUBT)
