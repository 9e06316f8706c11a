"""One column over the reference and over the window, small enough to be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.schema import Kind
from mainspring.monitoring.report.words import figure, plain, share, when
from mainspring.stats.profile import ColumnProfile, Profile

_BINS = 24
_FEW_VALUES = 12  # so few different numbers are drawn one by one
_CATEGORIES = 7
_EDGE = 0.005  # what lies beyond these quantiles is counted into the first and last bin
_LONG_TAIL = 12.0  # so many times the median: bins grow by a factor
_COUNTED = (Kind.CATEGORY, Kind.BOOLEAN, Kind.IMAGE)
_MATTERS = 0.05  # standard deviations
REST = "all others"


@dataclass(frozen=True, slots=True)
class Bar:
    """A range of numbers or a value, with its share of the rows that have a value.

    Attributes:
        label: the value, or the range in words.
        left, right: the edges of a range, as shares of the picture's width.
        unseen: that the reference has none of it, and the window some.
    """

    label: str
    reference: float
    window: float
    left: float = 0.0
    right: float = 0.0
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """Facts of the reference or of the window; `None` where there is none, as the mean of a category."""

    rows: int
    missing: float | None
    infinite: int
    mean: float | None
    deviation: float | None
    median: float | None
    low: float | None  # the quantile .05
    high: float | None  # the quantile .95


@dataclass(frozen=True, slots=True)
class FeaturePicture:
    """How a column looked in the reference and how it looks in the window.

    Attributes:
        bars: of shares; none where either side is without a value.
        ranges: whether the bars are ranges of numbers, side by side, or single values.
        growing: that each range is longer than the one before it, by a factor.
        ends: what stands at the left and the right end of the ranges.
        note: why there is nothing to draw.
    """

    name: str
    kind: Kind
    reference: Side
    window: Side
    bars: tuple[Bar, ...] = ()
    ranges: bool = False
    growing: bool = False
    ends: tuple[str, str] = ("", "")
    note: str = ""

    @property
    def changed_most(self) -> Bar | None:
        """The value whose share changed most."""
        return max(self.bars, key=lambda bar: abs(bar.window - bar.reference), default=None)


def feature_pictures(reference: Profile, window: Profile) -> list[FeaturePicture]:
    """A picture of every column that both have."""
    return [
        feature_picture(name, column, window.columns[name])
        for name, column in reference.columns.items()
        if name in window.columns
    ]


def feature_picture(name: str, reference: ColumnProfile, window: ColumnProfile) -> FeaturePicture:
    """Draw one column from two sketches, whatever they hold."""
    sides = _side(reference), _side(window)
    if reference.kind is not window.kind:
        note = f"it was of the kind {reference.kind}, and is of the kind {window.kind}"
        return FeaturePicture(name, window.kind, *sides, note=note)
    for column, what in ((reference, "reference"), (window, "window")):
        if column.present - column.infinite <= 0:
            why = "no rows" if not column.rows else "no finite value" if column.infinite else "no value"
            return FeaturePicture(name, window.kind, *sides, note=f"the {what} has {why}")
    if window.kind in _COUNTED:
        return FeaturePicture(name, window.kind, *sides, bars=_category_bars(reference, window))
    values = _few_values(reference, window)
    if values is not None:
        return FeaturePicture(name, window.kind, *sides, bars=values)
    edges, growing = _edges(reference, window)
    say = _moment if window.kind is Kind.TIME else figure
    return FeaturePicture(
        name,
        window.kind,
        *sides,
        bars=_range_bars(reference, window, edges, window.kind),
        ranges=True,
        growing=growing,
        ends=(say(float(edges[0])), say(float(edges[-1]))),
    )


def _side(column: ColumnProfile) -> Side:
    missing = column.missing / column.rows if column.rows else None
    if column.kind in _COUNTED or not column.moments.count:
        return Side(column.rows, missing, column.infinite, None, None, None, None, None)
    quantiles = (column.quantiles.quantile(0.5), column.quantiles.quantile(0.05), column.quantiles.quantile(0.95))
    variance = column.moments.variance
    deviation = math.sqrt(variance) if math.isfinite(variance) else None
    return Side(column.rows, missing, column.infinite, column.moments.mean, deviation, *quantiles)


def _category_bars(reference: ColumnProfile, window: ColumnProfile) -> tuple[Bar, ...]:
    """The values most frequent in the reference, and those whose shares changed most."""
    before, now = reference.frequencies, window.frequencies
    shares = {
        value: (before.counts.get(value, 0) / before.count, now.counts.get(value, 0) / now.count)
        for value in {*before.counts, *now.counts}
    }
    by_change = sorted(shares, key=lambda value: (-abs(shares[value][1] - shares[value][0]), value))
    by_share = sorted(shares, key=lambda value: (-max(shares[value]), value))
    chosen = list(dict.fromkeys([*by_change[: _CATEGORIES // 2], *by_share]))[:_CATEGORIES]
    chosen.sort(key=lambda value: (-shares[value][0], -shares[value][1], value))
    # What the sketch let go of came before, if rarely: only an exact one proves that a value is new.
    bars = [
        Bar(plain(value, 40), *shares[value], unseen=not shares[value][0] and not before.error) for value in chosen
    ]
    rest_before, rest_now = (max(0.0, 1 - sum(shares[value][side] for value in chosen)) for side in (0, 1))
    if max(rest_before, rest_now) > 1e-9:
        bars.append(Bar(REST, rest_before, rest_now))
    return tuple(bars)


def _few_values(reference: ColumnProfile, window: ColumnProfile) -> tuple[Bar, ...] | None:
    (before, before_weights), (now, now_weights) = reference.quantiles.weighted(), window.quantiles.weighted()
    values = np.union1d(before, now)
    if values.size > _FEW_VALUES or max(reference.distinct.estimate, window.distinct.estimate) > _FEW_VALUES:
        return None
    say = _moment if window.kind is Kind.TIME else figure
    bars = []
    for value in values:
        was = float(before_weights[before == value].sum()) / reference.quantiles.count
        is_now = float(now_weights[now == value].sum()) / window.quantiles.count
        exact = not reference.quantiles.rank_error
        bars.append(Bar(say(float(value)), was, is_now, unseen=exact and was == 0))
    return tuple(bars)


def _edges(reference: ColumnProfile, window: ColumnProfile) -> tuple[NDArray[np.float64], bool]:
    """The edges of the ranges, and whether these grow: equal ones would show a long tail as one tall bar."""
    low = min(column.quantiles.quantile(_EDGE) for column in (reference, window))
    high = max(column.quantiles.quantile(1 - _EDGE) for column in (reference, window))
    middle = reference.quantiles.quantile(0.5)
    if low > 0 and middle > 0 and high / middle > _LONG_TAIL:
        growing: NDArray[np.float64] = np.geomspace(low, high, _BINS + 1)
        return growing, True
    if low == high:  # all but a few rows have the same value
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    step = high / _BINS - low / _BINS  # the difference itself may overflow
    return np.array([low + step * place for place in range(_BINS + 1)], dtype=np.float64), False


def _range_bars(
    reference: ColumnProfile, window: ColumnProfile, edges: NDArray[np.float64], kind: Kind
) -> tuple[Bar, ...]:
    say = _moment if kind is Kind.TIME else figure
    shares = []
    for column in (reference, window):
        below = column.quantiles.rank(edges[1:-1]) / column.quantiles.count
        shares.append(np.diff(np.concatenate([[0.0], below, [1.0]])))
    return tuple(
        Bar(
            f"{say(float(edges[place]))} to {say(float(edges[place + 1]))}",
            float(shares[0][place]),
            float(shares[1][place]),
            place / _BINS,
            (place + 1) / _BINS,
        )
        for place in range(_BINS)
    )


def _moment(value: float) -> str:
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return figure(value)
    return f"{when(moment)} {moment.year}"


def told(picture: FeaturePicture) -> str:
    """What the picture shows, in a sentence; empty where it shows no change. That time goes on is none."""
    if picture.note or picture.kind is Kind.TIME:
        return picture.note
    before, now = picture.reference, picture.window
    if picture.ranges and before.mean is not None and now.mean is not None:
        return _moved(picture, before, now)
    bar = picture.changed_most
    if bar is None or bar.reference == bar.window:
        return ""
    return f"“{bar.label}” is {share(bar.window)} of the rows, was {share(bar.reference)}"


def _moved(picture: FeaturePicture, before: Side, now: Side) -> str:
    """How the mean or else the spread moved, where either did by more than a twentieth of a standard deviation."""
    assert before.mean is not None
    assert now.mean is not None
    what = "the mean length" if picture.kind in (Kind.TEXT, Kind.ID) else "the mean"
    deviation = before.deviation or 0.0
    if deviation and abs(now.mean - before.mean) < _MATTERS * deviation:
        spread = now.deviation or 0.0
        if abs(spread - deviation) < _MATTERS * deviation:
            return ""
        return f"the spread went from {figure(deviation)} to {figure(spread)} at the same mean"
    if now.mean == before.mean:
        return ""
    verb = "rose" if now.mean > before.mean else "fell"
    moved = abs(now.mean - before.mean) / deviation if deviation else 0.0
    far = f" ({figure(round(moved, 1))} standard deviations)" if 0.05 <= moved < 1e6 else ""
    return f"{what} {verb} from {figure(before.mean)} to {figure(now.mean)}{far}"
