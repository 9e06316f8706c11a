"""Alerts in words: what is bad, since when, for whom, and where to look further."""

from datetime import datetime

from mainspring.domain.alert import Alert, Event, EventKind
from mainspring.domain.measurement import Measurement
from mainspring.domain.saying import number, shown

_LONGEST = 80  # characters of a value that came with a request


def headline(event: Event) -> str:
    """One line that says what happened."""
    alert = event.alert
    if event.kind is EventKind.TEST:
        return f"Test of {alert.model}: this is how an alert looks; nothing is wrong"
    if event.kind is EventKind.RESOLVED:
        lasted = _length((event.at - alert.since).total_seconds())
        why = f": {alert.ending}" if alert.ending else f", after {lasted}"
        return f"Over: {alert.monitor} of {alert.model}{why}"
    return f"{alert.severity.capitalize()}: {alert.monitor} of {alert.model}: {summary(alert, event.more)}"


def summary(alert: Alert, more: int = 0) -> str:
    """The worst cause, and how many others there are."""
    if not alert.causes:
        return "no cause is known"
    others = len(alert.causes) - 1 + more
    worst = describe(alert.causes[0])
    return f"{worst}, and {others} more" if others else worst


def describe(cause: Measurement) -> str:
    """What is bad about one subject, in one line.

    Examples:
        >>> from datetime import UTC, timedelta
        >>> from mainspring.domain.measurement import State, Window
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> describe(Measurement("drift", "drift", "age", Window(noon, noon + timedelta(days=1)), noon, State.BAD,
        ...                      slice={"device": "phone"}, value=0.31, bar=0.1, method="KS"))
        'age where device is phone: KS 0.31 (bad above 0.1)'
    """
    where = ", ".join(f"{name} is {_short(value)}" for name, value in sorted(cause.slice.items()))
    what = _short(cause.subject) if cause.subject else "all features at once"
    text = f"{what} where {where}" if where else what
    if cause.job:
        text += f" in {_short(cause.job)}"
    if cause.value is None:
        return f"{text}: {shown(cause.note)}" if cause.note else text
    method = f"{cause.method} " if cause.method else ""
    text += f": {method}{number(cause.value)}"
    if cause.estimated:
        text += " (estimated)"
    if cause.bar is not None:
        text += f" (bad {'above' if cause.value >= cause.bar else 'below'} {number(cause.bar)})"
    return text


def details(cause: Measurement) -> list[str]:
    """What else there is to know about a cause: its window, rows, interval, reference, release, example."""
    told = [f"window: {when(cause.window.start)} to {when(cause.window.end)}, {cause.rows:,} rows"]
    if cause.job:
        told.append(f"score job: {_short(cause.job)}")
    if cause.low is not None and cause.high is not None:
        told.append(f"interval: {number(cause.low)} to {number(cause.high)}")
    if cause.reference is not None:
        told.append(f"reference: {number(cause.reference)}")
    if cause.p_value is not None:
        told.append(f"p-value: {cause.p_value:.2g}")
    if cause.release is not None:
        told.append(f"release: {cause.release}")
    if cause.example:
        told.append("example: " + ", ".join(f"{name} {_short(value)}" for name, value in cause.example.items()))
    if cause.note:
        told.append(f"note: {shown(cause.note)}")
    return told


def next_steps(alert: Alert) -> list[str]:
    """The commands by which one looks further, the nearest first."""
    steps = [f"mainspring monitor report {alert.model} --html report.html"]
    releases = sorted({cause.release for cause in alert.causes if cause.release is not None})
    steps += [f"mainspring show {alert.model}@{number}" for number in releases[-2:]]
    return steps


def when(moment: datetime) -> str:
    """A time to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _length(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _short(value: object) -> str:
    text = shown(value if isinstance(value, str) else number(value) if isinstance(value, float) else str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
