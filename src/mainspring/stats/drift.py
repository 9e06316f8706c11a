"""Whether a column is distributed as in its reference, and if not, by how much, and where.

A comparison looks at the values that are there (the distribution) and, each by itself, at the shares of missing,
infinite, unseen and out-of-range values. Each of these has an effect, which does not grow with the rows, and a
p-value. The column's drift is the worst of them.

With `method="auto"` the distribution is compared by kind and by number of rows:

| column | rows with a value, on either side | p-value | effect |
| --- | --- | --- | --- |
| any | fewer than 10 | – | none: not enough to say |
| number, integer; text and id by their lengths | up to 2,000 together | KS, exact | KS: D |
| the same | more | KS, limit law | KS: D |
| the same with at most 20 different values; boolean; category: of two values | under 1,000 expected in a cell | \
Fisher's exact test | chi-squared: Cohen's w, less what chance makes of it |
| of two values | more | chi-squared of two samples | the same |
| of more values | any; those too rare (under 5 expected) go together | the greater of chi-squared's and G's | \
the same |
| category of which the sketches hold under half of the rows, or with hardly a value twice | any | – | none |
| time, image | any | – | none: a time goes on by itself, and each picture is another; only missing ones count |

What a sketch may be wrong by is taken off the effect before the p-value is computed of it, so that a sketch never
makes a drift of its own; it may hide one that is smaller than its error.
"""

from __future__ import annotations

from dataclasses import replace

from mainspring.domain.schema import Kind
from mainspring.stats.drift_extras import (
    infinite_drift,
    missing_drift,
    range_drift,
    rows_out_of_range,
    unseen_drift,
    unseen_values,
)
from mainspring.stats.drift_methods import AUTO, CHI_SQUARED, KS, OF_SAMPLES, OF_SHARES, THRESHOLDS
from mainspring.stats.drift_numbers import number_drift
from mainspring.stats.drift_result import DISTRIBUTION, Component, Drift, worst_of
from mainspring.stats.drift_shares import category_drift
from mainspring.stats.profile import ColumnProfile

__all__ = ["LEAST_ROWS", "THRESHOLDS", "Component", "Drift", "compare"]

LEAST_ROWS = 10  # with a value, on either side
_NUMBERS = (Kind.NUMBER, Kind.INTEGER)
_COUNTED = (Kind.CATEGORY, Kind.BOOLEAN)
_NOT_COMPARED = {
    Kind.TIME: "a time goes on by itself: only missing values are compared",
    Kind.IMAGE: "each picture is another: only missing values are compared",
}


def compare(reference: ColumnProfile, current: ColumnProfile, *, method: str = AUTO) -> Drift:
    """How far the current column is from the reference.

    Args:
        method: `auto`, or one of `THRESHOLDS`; one that the kind does not have is replaced by the automatic
            choice, with a note.

    Returns:
        Never an error: where there is not enough to say, the effect is `None` and the note says why.

    Raises:
        ValueError: no such method.

    Examples:
        >>> import numpy as np
        >>> before, after = ColumnProfile(Kind.NUMBER), ColumnProfile(Kind.NUMBER)
        >>> before.add_numbers(np.linspace(0, 1, 5000))
        >>> after.add_numbers(np.linspace(0.2, 1.2, 4000))
        >>> drift = compare(before, after)
        >>> drift.method, round(drift.effect, 2), drift.p_value < 1e-6, drift.threshold
        ('ks', 0.2, True, 0.05)
    """
    if method != AUTO and method not in THRESHOLDS:
        raise ValueError(f"there is no method {method!r}; use one of {AUTO}, {', '.join(THRESHOLDS)}")
    if reference.kind is not current.kind and not {reference.kind, current.kind} <= set(_NUMBERS):
        return _nothing_said(method, f"the kind changed from {reference.kind} to {current.kind}")
    if min(reference.rows, current.rows) < LEAST_ROWS:
        side, rows = ("reference", reference.rows) if reference.rows < LEAST_ROWS else ("current", current.rows)
        return _nothing_said(method, f"not enough to say: {_rows(rows)} on the {side} side")
    distribution = _distribution(reference, current, method)
    extras: list[Component | None] = [missing_drift(reference, current)]
    if reference.kind in _COUNTED:
        extras.append(unseen_drift(reference.frequencies, current.frequencies))
    elif reference.kind in _NUMBERS:
        extras += [infinite_drift(reference, current), range_drift(reference, current)]
    components = (distribution, *(one for one in extras if one is not None))
    worst = worst_of(components)
    tested = sum(one.p_value is not None for one in components)
    if worst is distribution and reference.kind in _NOT_COMPARED and method == AUTO:
        worst = replace(components[1], note=distribution.note)
    return Drift(
        component=worst.name,
        method=worst.method,
        effect=worst.effect,
        p_value=None if worst.p_value is None else min(1.0, worst.p_value * tested),
        threshold=worst.threshold,
        note=worst.note,
        example=worst.example,
        missing_change=current.missing / current.rows - reference.missing / reference.rows,
        out_of_range_share=_out_of_range_share(reference, current),
        unseen=unseen_values(reference.frequencies, current.frequencies) if reference.kind in _COUNTED else {},
        components=components,
    )


def _distribution(reference: ColumnProfile, current: ColumnProfile, method: str) -> Component:
    """The first component, with a note where another method than the one asked for was taken."""
    if method == AUTO and reference.kind in _NOT_COMPARED:
        return _unsaid(KS, _NOT_COMPARED[reference.kind])
    counted = reference.kind in (*_COUNTED, Kind.IMAGE)
    for side, column in (("reference", reference), ("current", current)):
        present = column.frequencies.count if counted else column.quantiles.count
        if present < LEAST_ROWS:
            what = "value" if counted else "finite value"
            note = f"not enough to say: {_rows(present)} with a {what} on the {side} side"
            return _unsaid(_natural(counted) if method == AUTO else method, note)
    if not counted:
        return number_drift(reference, current, method)
    chosen = method if method in OF_SHARES else CHI_SQUARED
    found = category_drift(reference.frequencies, current.frequencies, chosen)
    if method not in OF_SAMPLES:
        return found
    return replace(found, note=f"{method} needs numbers, so {chosen} was taken{found.note and '; ' + found.note}")


def _natural(counted: bool) -> str:
    return CHI_SQUARED if counted else KS


def _out_of_range_share(reference: ColumnProfile, current: ColumnProfile) -> float | None:
    if reference.kind not in _NUMBERS:
        return None
    rows = rows_out_of_range(reference, current)
    return None if rows is None else rows / current.moments.count


def _nothing_said(method: str, note: str) -> Drift:
    component = _unsaid(KS if method == AUTO else method, note)
    return Drift(DISTRIBUTION, component.method, None, None, component.threshold, note, components=(component,))


def _unsaid(method: str, note: str) -> Component:
    return Component(DISTRIBUTION, method, None, THRESHOLDS[method], None, note)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
