"""Drift beside the distribution: values that are missing, infinite, new, or outside the range."""

from __future__ import annotations

from typing import Any

from mainspring.domain.schema import Kind
from mainspring.stats.count_tests import compare_shares
from mainspring.stats.drift_result import INFINITE, MISSING, OUT_OF_RANGE, UNSEEN, Component
from mainspring.stats.frequencies import Frequencies
from mainspring.stats.profile import ColumnProfile
from mainspring.stats.samples import Sample

EXTRA_THRESHOLDS = {MISSING: 0.02, INFINITE: 0.001, UNSEEN: 0.01, OUT_OF_RANGE: 0.01}
"""By how much a share may change before it matters."""

_MOST_UNSEEN = 100  # are named
_SHARE = "share"


def missing_drift(reference: ColumnProfile, current: ColumnProfile) -> Component:
    return _share_drift(MISSING, (reference.missing, reference.rows), (current.missing, current.rows))


def infinite_drift(reference: ColumnProfile, current: ColumnProfile) -> Component | None:
    """`None` where neither has an infinite value."""
    if not reference.infinite and not current.infinite:
        return None
    return _share_drift(INFINITE, (reference.infinite, reference.rows), (current.infinite, current.rows))


def unseen_values(reference: Frequencies, current: Frequencies) -> dict[str, int]:
    """The current values that the reference does not have, the most frequent first, at most 100 of them.

    Empty where the reference had too many different values to remember all.
    """
    if reference.error:
        return {}
    unseen = [(value, count) for value, count in current.counts.items() if value not in reference.counts]
    return dict(sorted(unseen, key=lambda item: (-item[1], item[0]))[:_MOST_UNSEEN])


def unseen_drift(reference: Frequencies, current: Frequencies) -> Component | None:
    """Whether more rows have a value that is new than chance makes; `None` where the sketch cannot tell.

    The reference itself has no value that it has not seen, so that 0 would be the wrong expectation. The share of
    new values among further rows is the share of values that came just once (Good 1953).
    """
    if reference.error or not reference.count or not current.count:
        return None
    once = sum(1 for count in reference.counts.values() if count == 1)
    rows = sum(count for value, count in current.counts.items() if value not in reference.counts)
    most = next(iter(unseen_values(reference, current).items()), None)
    example = {} if most is None else {"value": most[0], "rows": most[1]}
    return _excess(UNSEEN, (once, reference.count), (rows, current.count), example)


def rows_out_of_range(reference: ColumnProfile, current: ColumnProfile) -> int | None:
    """How many current numbers are beyond the reference's smallest and greatest; at least, of a sketch."""
    low, high = reference.moments.minimum, reference.moments.maximum
    if low is None or high is None or current.moments.minimum is None or current.moments.maximum is None:
        return None
    sample = Sample.from_sketch(current.quantiles)
    below = float(sample.weights[sample.values < low].sum()) - sample.rank_error
    above = float(sample.weights[sample.values > high].sum()) - sample.rank_error
    return max(round(below), int(current.moments.minimum < low)) + max(
        round(above), int(current.moments.maximum > high)
    )


def range_drift(reference: ColumnProfile, current: ColumnProfile) -> Component | None:
    """Whether more numbers are out of the range than chance makes; `None` where there are no numbers.

    Of the reference's own rows two would be, if each were judged by the others: the smallest and the greatest.
    """
    rows = rows_out_of_range(reference, current)
    if rows is None or reference.kind is Kind.TIME:
        return None
    moments, reach = current.moments, reference.moments
    example: dict[str, Any] = {"rows": rows}
    if rows:
        assert moments.maximum is not None
        assert reach.maximum is not None
        example |= {"value": moments.maximum if moments.maximum > reach.maximum else moments.minimum}
    return _excess(OUT_OF_RANGE, (min(2, reach.count), reach.count), (rows, moments.count), example)


def _share_drift(name: str, reference: tuple[int, int], current: tuple[int, int]) -> Component:
    before, after = reference[0] / reference[1], current[0] / current[1]
    return Component(
        name,
        _SHARE,
        abs(after - before),
        EXTRA_THRESHOLDS[name],
        compare_shares(*reference, *current),
        example={name: True, "reference": before, "current": after},
    )


def _excess(name: str, expected: tuple[int, int], found: tuple[int, int], example: dict[str, Any]) -> Component:
    """Only more than expected is a drift."""
    before, after = expected[0] / expected[1], found[0] / found[1]
    risen = after > before
    return Component(
        name,
        _SHARE,
        max(after - before, 0.0),
        EXTRA_THRESHOLDS[name],
        compare_shares(*expected, *found) if risen else 1.0,
        example=example | {"reference": 0.0, "current": after} if risen else {},
    )
