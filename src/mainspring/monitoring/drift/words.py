"""A drift in words: what changed, from what to what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mainspring.data.showing import listed
from mainspring.domain.schema import Kind
from mainspring.stats.drift_result import INFINITE, MISSING, OUT_OF_RANGE, UNSEEN, Component, Drift
from mainspring.stats.profile import ColumnProfile

_LONGEST = 60  # characters of a value


def told(component: Component, drift: Drift, reference: ColumnProfile, current: ColumnProfile) -> str:
    """What changed by a component of a column's drift.

    Examples:
        >>> import numpy as np
        >>> sides = ColumnProfile(Kind.NUMBER), ColumnProfile(Kind.NUMBER)
        >>> for side, values in zip(sides, ([1.0, 2.0, 3.0, 4.0], [1.0, np.nan, np.nan, 4.0])):
        ...     side.add_numbers(np.array(values))
        >>> missing = Component("missing", "share", 0.5, 0.02, 1e-9)
        >>> told(missing, Drift("missing", "share", 0.5, 1e-9, 0.02), *sides)
        'missing in 50 % of the rows, before in 0 %'
    """
    if component.name == MISSING:
        return f"missing in {_share(_missing(current))} of the rows, before in {_share(_missing(reference))}"
    if component.name == INFINITE:
        return f"infinite in {current.infinite:,} of {current.rows:,} rows, before in {reference.infinite:,}"
    if component.name == UNSEEN:
        return unseen_told(drift.unseen, current.rows)
    if component.name == OUT_OF_RANGE:
        return _range_told(drift, reference, current)
    return _distribution_told(component, reference, current)


def unseen_told(unseen: Mapping[str, int], rows: int) -> str:
    """New values with how often they came.

    Examples:
        >>> unseen_told({"Prcard": 7}, 5091)
        "a new value in 7 of 5,091 rows: 'Prcard'"
    """
    count = "a new value" if len(unseen) == 1 else f"{len(unseen):,} new values"
    shown = [_cut(value) for value in list(unseen)[:5]]
    return f"{count} in {sum(unseen.values()):,} of {rows:,} rows: {listed(shown, len(unseen))}"


def _range_told(drift: Drift, reference: ColumnProfile, current: ColumnProfile) -> str:
    before, now, kind = reference.moments, current.moments, current.kind
    if None in (before.minimum, before.maximum, now.minimum, now.maximum):
        return "values lie outside the range of before"
    return (
        f"{_share(drift.out_of_range_share or 0.0)} of the values lie outside {_value(before.minimum, kind)} to "
        f"{_value(before.maximum, kind)}, the range of before; they go from {_value(now.minimum, kind)} to "
        f"{_value(now.maximum, kind)}"
    )


def _distribution_told(component: Component, reference: ColumnProfile, current: ColumnProfile) -> str:
    parts = []
    example = component.example
    if "value" in example:
        value = example["value"]
        shown = repr(_cut(value)) if isinstance(value, str) else _value(value, current.kind)
        parts.append(f"{shown} in {_change(example)}")
    elif "from" in example or "to" in example:
        parts.append(f"{_between(example, current.kind)} in {_change(example)}")
    if reference.moments.count and current.moments.count and current.kind is not Kind.TIME:
        what = "mean" if current.kind in (Kind.NUMBER, Kind.INTEGER) else "mean length"
        parts.append(f"the {what} is {current.moments.mean:.4g}, before {reference.moments.mean:.4g}")
    return "; ".join(parts) or f"its distribution changed by {component.method} {component.effect or 0.0:.3g}"


def _between(example: Mapping[str, Any], kind: Kind) -> str:
    low, high = example.get("from"), example.get("to")
    if low is None:
        return f"up to {_value(high, kind)}"
    if high is None:
        return f"above {_value(low, kind)}"
    return f"{_value(low, kind)}" if low == high else f"{_value(low, kind)} to {_value(high, kind)}"


def _change(example: Mapping[str, Any]) -> str:
    return f"{_share(example['current'])} of the rows, before in {_share(example['reference'])}"


def _missing(column: ColumnProfile) -> float:
    return column.missing / column.rows if column.rows else 0.0


def _share(share: float) -> str:
    return f"{share * 100:.3g} %"


def _value(value: Any, kind: Kind) -> str:
    if value is None:
        return "nothing"
    if kind is Kind.TIME and math.isfinite(value):
        try:
            return datetime.fromtimestamp(value, UTC).isoformat(" ", "minutes")
        except (ValueError, OverflowError, OSError):  # a year that no calendar has
            pass
    return f"{value:.5g}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
