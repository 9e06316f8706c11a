"""Alerts: what becomes of a monitor's measurements, look by look, until a person is told and told again.

There is at most one open alert for each model and monitor; its causes are what is bad (features, slices,
releases).

    bad                 bad for `for_`              fine for the hold
    ─────▶  pending  ──────────────────▶  firing  ────────────────────▶  resolved
               │ fine                       ▲ │ unknown: stays as it is
               ▼                            └─┘
            dropped
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import AlertSeverity, Monitor

Cause = tuple[str, tuple[tuple[str, str], ...], int | None]
"""What a measurement is about: its subject, slice and release."""

_NEAR = 0.1
"""A value is near the bar within this part of the way from the bar to what the reference has."""
_NEAR_HOLD = 4
"""Near the bar it must be fine so many times as long: noise alone would cross the bar again."""
_APART = timedelta(hours=6)
"""Changes nearer to each other are one story: a concept that slides changes all the time."""
_GONE = timedelta(days=7)
"""A cause that nobody measures any more (a slice that vanished) holds the alert for so long."""


class AlertState(StrEnum):
    PENDING = "pending"  # bad, but not yet for long enough
    FIRING = "firing"
    RESOLVED = "resolved"


class EventKind(StrEnum):
    FIRED = "fired"
    RESOLVED = "resolved"
    TEST = "test"  # asked for by a person; nothing is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that went wrong, from the first bad look to its end.

    Attributes:
        id: a UUIDv7.
        since: the first bad look.
        last_seen: the last bad look.
        causes: the newest bad measurements, the worst first; one that cannot be said just now stays.
        fired_at, resolved_at: when it did, if it did.
        told_at: when it was handed to the sinks; `None` while it is silenced.
        fine_since: the first fine look after the last bad one.
        times_changed: how often it went from bad to fine or back while it was open: flapping.
        ending: why it was resolved, where that is not that all became fine.
        changed_at: from when on what was measured is otherwise, as exactly as its monitor tells: the moment that
            it found, else the start of the first window that was bad.
    """

    id: str
    model: str
    monitor: str
    severity: AlertSeverity
    state: AlertState
    since: datetime
    last_seen: datetime
    causes: tuple[Measurement, ...]
    owner: str = ""
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None
    fine_since: datetime | None = None
    times_changed: int = 0
    ending: str = ""
    changed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state is not AlertState.RESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What people are told about an alert.

    Attributes:
        id: the same for the same happening, so that a receiver can tell a repetition.
        more: how many causes `alert` had beside those that it still names.
    """

    id: str
    kind: EventKind
    at: datetime
    alert: Alert
    more: int = 0

    def brief(self, causes: int = 10) -> "Event":
        """The same with the worst causes only: 500 features make no message."""
        left_out = max(0, len(self.alert.causes) - causes)
        kept = replace(self.alert, causes=self.alert.causes[:causes])
        return replace(self, alert=kept, more=self.more + left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """For so long nobody is told of these alerts; they are still kept, and told if they outlast it.

    Attributes:
        model, monitor: names, or patterns with `*` and `?`.
        by, reason: who silenced, and why.
        until: the end; one that is ended by hand ends earlier.

    Examples:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> quiet = Silence(id="s", model="ad*", monitor="drift", created_at=noon, until=noon + timedelta(hours=2),
        ...                 by="ana", reason="campaign")
        >>> [quiet.covers("adclick", "drift", noon + timedelta(hours=hours)) for hours in (1, 2)]
        [True, False]
        >>> quiet.covers("churn", "drift", noon)
        False
    """

    id: str
    model: str
    monitor: str
    created_at: datetime
    until: datetime
    by: str
    reason: str

    def covers(self, model: str, monitor: str, now: datetime) -> bool:
        matches = fnmatchcase(model, self.model) and fnmatchcase(monitor, self.monitor)
        return matches and self.is_live(now)

    def is_live(self, now: datetime) -> bool:
        return self.created_at <= now < self.until


def advance(
    alert: Alert | None,
    measurements: Iterable[Measurement],
    rule: Monitor,
    *,
    model: str,
    now: datetime,
    new_id: Callable[[], str],
) -> tuple[Alert | None, Event | None]:
    """What one look makes of a monitor's alert.

    It fires once it has been bad for `rule.for_`, and is resolved once every cause has been fine for the longer of
    `rule.for_` and two looks; for four times as long where a value is still near its bar. What cannot be said
    (`UNKNOWN`, or nothing measured) changes nothing.

    Args:
        alert: the monitor's open alert.
        measurements: of this monitor at this look.
        now: the time of the look.
        new_id: gives an alert its id.

    Returns:
        the alert as it is now (`None`: there is none, or a pending one was dropped), and what is to be told.
    """
    seen = _newest(measurements)
    bad = tuple(one for one in seen.values() if one.state is State.BAD)
    if alert is None or not alert.is_open:
        if not bad:
            return None, None
        alert = Alert(
            id=new_id(),
            model=model,
            monitor=rule.name,
            severity=rule.severity,
            owner=rule.owner,
            state=AlertState.PENDING,
            since=now,
            last_seen=now,
            causes=(),
            changed_at=min(map(_since, bad)),
        )
    if bad:
        return _bad_again(alert, bad, seen, rule, now)
    found = _recovered(alert, seen, now)
    if found is None:
        return alert, None
    if alert.state is AlertState.PENDING:
        return None, None
    if alert.fine_since is None:
        alert = replace(alert, fine_since=now, times_changed=alert.times_changed + 1)
    hold = max(2 * parse_duration(rule.every), parse_duration(rule.for_))
    if now - (alert.fine_since or now) < hold * (_NEAR_HOLD if found else 1):
        return alert, None
    return resolve(alert, now)


def is_another(alert: Alert, measurements: Iterable[Measurement]) -> bool:
    """Whether these tell of a change that came well after what a firing alert tells of, or to another release.

    That is known only where the monitor finds the moment of a change itself; then each change has an alert of its
    own.
    """
    before = [one for one in alert.causes if one.since is not None]
    after = [one for one in measurements if one.state is State.BAD and one.since is not None]
    if alert.state is not AlertState.FIRING or not before or not after:
        return False
    known, new = (max(some, key=_since) for some in (before, after))
    return _since(new) - _since(known) >= (_APART if new.release == known.release else timedelta.resolution)


def resolve(alert: Alert, now: datetime, ending: str = "") -> tuple[Alert, Event]:
    """End an alert, e.g. because its monitor is no longer declared."""
    ended = replace(alert, state=AlertState.RESOLVED, resolved_at=now, ending=ending)
    return ended, Event(id=f"{alert.id}-resolved", kind=EventKind.RESOLVED, at=now, alert=ended)


def tell(
    alert: Alert, event: Event | None, silences: Sequence[Silence], now: datetime
) -> tuple[Alert, Event | None]:
    """What of an alert's event people are told, given what is silenced.

    A firing alert that a silence kept back is told when the silence is over; of one that nobody was told of,
    nobody is told that it is over.
    """
    if alert.state is AlertState.RESOLVED:
        return alert, event if alert.told_at is not None else None
    if alert.state is AlertState.PENDING or alert.told_at is not None:
        return alert, None
    if any(one.covers(alert.model, alert.monitor, now) for one in silences):
        return alert, None
    told = replace(alert, told_at=now)
    at = now if event is None else event.at
    return told, Event(id=f"{alert.id}-fired", kind=EventKind.FIRED, at=at, alert=told)


def about(measurement: Measurement) -> Cause:
    """What the measurement is about: measurements of the same at two looks can be compared."""
    return measurement.subject, tuple(sorted(measurement.slice.items())), measurement.release


def excess(measurement: Measurement) -> float:
    """How far beyond its bar a value is, in bars; of what has no bar, none: to name the worst first."""
    if measurement.value is None or measurement.bar is None:
        return 0.0
    return abs(measurement.value - measurement.bar) / max(abs(measurement.bar), 1e-9)


def _since(measurement: Measurement) -> datetime:
    return measurement.since or measurement.window.start


def _newest(measurements: Iterable[Measurement]) -> dict[Cause, Measurement]:
    """Of each subject what its newest window says: windows measured late (labels!) may be several at one look."""
    found: dict[Cause, Measurement] = {}
    for one in sorted(measurements, key=lambda one: one.window):
        found[about(one)] = one
    return found


def _bad_again(
    alert: Alert, bad: tuple[Measurement, ...], seen: Mapping[Cause, Measurement], rule: Monitor, now: datetime
) -> tuple[Alert, Event | None]:
    held = tuple(
        cause
        for cause in alert.causes
        if _state_of(cause, seen) is State.UNKNOWN and not _is_gone(cause, seen, now)
    )
    alert = replace(
        alert,
        causes=tuple(sorted(bad + held, key=lambda one: (-excess(one), about(one)[:2]))),
        severity=rule.severity,
        owner=rule.owner,
        last_seen=now,
        fine_since=None,
        times_changed=alert.times_changed + (alert.fine_since is not None),
    )
    if alert.state is AlertState.FIRING or now - alert.since < parse_duration(rule.for_):
        return alert, None
    alert = replace(alert, state=AlertState.FIRING, fired_at=now)
    return alert, Event(id=f"{alert.id}-fired", kind=EventKind.FIRED, at=now, alert=alert)


def _recovered(alert: Alert, seen: Mapping[Cause, Measurement], now: datetime) -> bool | None:
    """Whether what was bad is fine but near its bar; `None` where that cannot be said of every cause."""
    near = False
    for cause in alert.causes:
        if _state_of(cause, seen) is not State.FINE:
            something_fine = any(one.state is State.FINE for one in seen.values())
            if not something_fine or not _is_gone(cause, seen, now):
                return None
        near = near or any(_is_near(cause, one) for one in _of_same(cause, seen))
    return near


def _state_of(cause: Measurement, seen: Mapping[Cause, Measurement]) -> State:
    """What this look says of a cause; of a release that answers no more, what it says of the others."""
    states = {one.state for one in _of_same(cause, seen)}
    if State.BAD in states:
        return State.BAD
    return State.FINE if states == {State.FINE} else State.UNKNOWN


def _is_gone(cause: Measurement, seen: Mapping[Cause, Measurement], now: datetime) -> bool:
    return not _of_same(cause, seen) and now - cause.at >= _GONE


def _of_same(cause: Measurement, seen: Mapping[Cause, Measurement]) -> list[Measurement]:
    same = seen.get(about(cause))
    if same is not None:
        return [same]
    subject, slice_, _ = about(cause)
    found = [one for key, one in seen.items() if key[:2] == (subject, slice_)]
    # `age: missing` is told of only while it is bad; else `age` speaks for it.
    whole = subject.rpartition(": ")[0]
    return found or [one for key, one in seen.items() if whole and key[:2] == (whole, slice_)]


def _is_near(cause: Measurement, now: Measurement) -> bool:
    if cause.value is None or cause.bar is None or now.value is None or now.bar is None:
        return False
    band = _NEAR * abs(now.bar - (now.reference or 0.0))
    if cause.value >= cause.bar:
        return now.value > now.bar - band
    return now.value < now.bar + band
