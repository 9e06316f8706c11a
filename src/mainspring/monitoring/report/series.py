"""What a monitor measured of one subject, look after look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import MonitorKind
from mainspring.domain.task import METRICS
from mainspring.monitoring.report.words import plain, slice_name

_BY_METRIC = (MonitorKind.PERFORMANCE, MonitorKind.ESTIMATE)
_NUMBERS = ("value", "low", "high", "reference", "bar", "p_value")
_LARGEST = 1e300
OF_JOBS = " in score jobs"
MOST_POINTS = 168  # of a series; a week of hours


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements of the same thing, in the order of their windows, one a window.

    Attributes:
        slice: as pairs, in order.
        points: at most `MOST_POINTS`; where there were more, the newest of each stretch, bad ones first.
        since: the end of the first window of the bad time that still lasts; `None` where it is not bad now.
        current: that the monitor's newest look that had anything to say measured it; not so of a release that
            answers no more, or of a slice that vanished.
        behind: that a later look did not measure it.
    """

    monitor: str
    kind: str
    subject: str
    release: int | None
    slice: tuple[tuple[str, str], ...]
    points: tuple[Measurement, ...]
    since: datetime | None
    current: bool
    behind: bool

    @property
    def of_jobs(self) -> bool:
        """Whether it is of the rows of score jobs, not of the answers of the prediction log."""
        return bool(self.points[-1].job)

    @property
    def name(self) -> str:
        """Of what."""
        return plain(self.subject or self.monitor, 60) + (OF_JOBS if self.of_jobs else "")

    @property
    def title(self) -> str:
        """Of what, of which rows and whose answers."""
        of = [slice_name(dict(self.slice))] if self.slice else []
        of += [f"release {self.release}"] if self.release is not None else []
        return ", ".join([self.name, *of])

    @property
    def newest(self) -> Measurement:
        return self.points[-1]

    @property
    def known(self) -> Measurement | None:
        """The newest that has something to say."""
        return next((one for one in reversed(self.points) if one.state is not State.UNKNOWN), None)

    @property
    def state(self) -> State:
        """How it stands. Not enough to say ends nothing bad; but what was fine then is not fine for that now."""
        if self.newest.state is State.UNKNOWN:
            return State.BAD if self.known is not None and self.known.state is State.BAD else State.UNKNOWN
        return State.UNKNOWN if self.behind and self.newest.state is State.FINE else self.newest.state

    @property
    def shown(self) -> Measurement:
        """The newest with a value, else the newest."""
        return next((one for one in reversed(self.points) if one.value is not None), self.newest)

    @property
    def is_judged(self) -> bool:
        """Whether it can be bad at all; other figures are only shown."""
        return self.kind == MonitorKind.CONCEPT or any(
            one.bar is not None or one.state is State.BAD for one in self.points
        )

    @property
    def severity(self) -> float:
        """How far the value is on its way to the bar and beyond, 1 at the bar; for the order among one kind."""
        one = self.shown
        if one.value is None:
            return 0.0
        if not one.bar:
            return abs(one.value)
        return one.value / one.bar if at_most(self.points) else one.bar / one.value if one.value else float("inf")


def at_most(points: Sequence[Measurement]) -> bool:
    """Whether the bar is a greatest value: as the metric says, else as the states tell; yes where none tells."""
    if points and points[-1].kind in _BY_METRIC and points[-1].subject in METRICS:
        return not METRICS[points[-1].subject].greater_is_better
    told = [(one.value - one.bar, one.state) for one in points if one.value is not None and one.bar is not None]
    # A bad value never lies on the good side; a fine one may lie beyond, where its interval reaches the bar.
    bad = [beyond > 0 for beyond, state in told if state is State.BAD and beyond]
    if bad:
        return bad[-1]
    fine = [beyond for beyond, state in told if state is State.FINE]
    return sum(beyond > 0 for beyond in fine) <= len(fine) / 2


def series_of(measurements: Iterable[Measurement]) -> list[Series]:
    """Sort measurements into series. Of a window that was measured again the newest known one counts."""
    latest: dict[str, datetime] = {}
    telling: dict[str, datetime] = {}
    found: dict[tuple[object, ...], dict[datetime, Measurement]] = {}
    for one in map(_finite, measurements):
        latest[one.monitor] = max(latest.get(one.monitor, one.at), one.at)
        if one.state is not State.UNKNOWN:
            telling[one.monitor] = max(telling.get(one.monitor, one.at), one.at)
        key = (one.monitor, str(one.kind), one.subject, one.release, tuple(sorted(one.slice.items())))
        windows = found.setdefault(key, {})
        windows[one.window.end] = _newer(windows.get(one.window.end), one)
    made = []
    for windows in found.values():
        points = [windows[end] for end in sorted(windows)]
        one, seen = points[-1], max(point.at for point in points)
        series = Series(
            one.monitor,
            str(one.kind),
            one.subject,
            one.release,
            tuple(sorted(one.slice.items())),
            _thinned(points),
            since=None,
            current=seen >= telling.get(one.monitor, latest[one.monitor]),
            behind=seen < latest[one.monitor],
        )
        made.append(replace(series, since=_since(points)) if series.state is State.BAD else series)
    return made


def _finite(one: Measurement) -> Measurement:
    """What is no number, or so large that no picture could hold it, is none."""
    none: dict[str, Any] = {name: None for name in _NUMBERS if not abs(getattr(one, name) or 0.0) < _LARGEST}
    return replace(one, **none) if none else one


def _newer(old: Measurement | None, new: Measurement) -> Measurement:
    if old is None:
        return new
    told = [one for one in (old, new) if one.state is not State.UNKNOWN]
    return max(told or (old, new), key=lambda one: one.at)


def _since(points: Sequence[Measurement]) -> datetime | None:
    """When the bad time began. Windows that share rows are one witness: it takes a whole fine one to end it."""
    began: datetime | None = None
    fine: datetime | None = None
    for one in reversed(points):
        if one.state is State.FINE:
            fine = fine or one.window.end
        elif one.state is State.BAD:
            if fine is not None and fine - one.window.end >= one.window.length:
                break
            began, fine = one.window.end, None
    return began


def _thinned(points: Sequence[Measurement], most: int = MOST_POINTS) -> tuple[Measurement, ...]:
    if len(points) <= most:
        return tuple(points)
    kept = []
    for place in range(most):
        part = points[place * len(points) // most : (place + 1) * len(points) // most]
        told = [one for one in part if one.state is State.BAD]
        kept.append(part[-1] if place == most - 1 or not told else told[-1])
    return tuple(kept)
