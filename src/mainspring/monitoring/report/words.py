"""Numbers, shares, times and names as the report says them, the same in the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import MonitorKind
from mainspring.domain.saying import counted as counted
from mainspring.domain.saying import number, shown

# Not `strftime`, which speaks the language of the process.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST_NAME = 80
_MOST_FACTS = 4
_SECONDS = ("latency_p50", "latency_p99", "log_lag", "label_delay", "feature_age")
Say = Callable[[float | None], str]


def plain(text: str, longest: int = _LONGEST_NAME) -> str:
    r"""Text of strangers on one line: control and direction characters shown instead of obeyed, cut if long.

    Examples:
        >>> plain("a\x1b[31m\u202eb"), plain("x" * 100, 5)
        ('a\\x1b[31m\\u202eb', 'xxxx…')
    """
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return shown(text)


def figure(value: float | None) -> str:
    """A number to three digits, more where it is whole.

    Examples:
        >>> figure(0.81234), figure(1234.56), figure(12_345_678), figure(None), figure(-0.00001)
        ('0.812', '1,235', '12,345,678', '–', '-1e-05')
    """
    return number(value, 3)


def share(value: float | None) -> str:
    """A part of one in percent; 0 % is nothing, and 100 % is all.

    Examples:
        >>> share(0.1234), share(0.004), share(0.00001), share(0.0), share(0.9999), share(None), share(1e307)
        ('12 %', '0.4 %', '< 0.1 %', '0 %', '> 99.9 %', '–', '–')
    """
    percent = math.nan if value is None else value * 100
    if value is None or not math.isfinite(percent):
        return "–"
    if 0 < abs(value) < 0.001:
        return "< 0.1 %" if value > 0 else "> −0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    if abs(percent) >= 1e6:  # no share at all, but what was measured
        return f"{percent:.3g} %"
    return f"{percent:.0f} %" if percent == round(percent) or abs(percent) >= 10 else f"{percent:.1f} %"


def seconds(value: float | None) -> str:
    """A time that something took.

    Examples:
        >>> seconds(0.0123), seconds(2.5), seconds(5400), seconds(200_000)
        ('12.3 ms', '2.5 s', '1.5 h', '2.31 days')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0 s"
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0)):
        if abs(value) >= 1.5 * length or (unit == "s" and abs(value) >= 1):
            return f"{figure(value / length)} {unit}"
    return f"{figure(value * 1000)} ms"


def sayer(kind: str, subject: str) -> Say:
    """How the values of a monitor are said: as a share, as a time, or as a bare number.

    Examples:
        >>> sayer("technical", "latency_p99")(0.012), sayer("fairness", "positive_rate")(0.2)
        ('12 ms', '20 %')
    """
    if kind == MonitorKind.TECHNICAL and subject in _SECONDS:
        return seconds
    of_shares = subject.endswith("_share") or subject == "feature_agreement"
    if (kind == MonitorKind.TECHNICAL and of_shares) or subject in ("positive_rate", "unusual requests"):
        return share
    return figure


def effect_sayer(method: str) -> Say:
    """How the effects of a method are said.

    Examples:
        >>> effect_sayer("share")(0.1), effect_sayer("ks")(0.1)
        ('10 %', '0.1')
    """
    return share if method == "share" else figure


_METHODS = {
    "ks": "KS",
    "psi": "PSI",
    "jensen_shannon": "Jensen–Shannon",
    "wasserstein": "Wasserstein",
    "chi_squared": "chi-squared effect",
    "hellinger": "Hellinger",
    "l_infinity": "L∞",
    "classifier": "classifier's AUC",
    "share": "difference of shares",
}


def method_name(method: str) -> str:
    """Examples:
    >>> method_name("ks"), method_name("CBPE")
    ('KS', 'CBPE')
    """
    return _METHODS.get(method, plain(method, 30))


def probability(p_value: float | None) -> str:
    """Examples:
    >>> probability(0.0000001), probability(0.0312), probability(None)
    ('p < 0.001', 'p = 0.031', '')
    """
    if p_value is None:
        return ""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def interval(say: Say, value: float | None, low: float | None, high: float | None) -> str:
    """Examples:
    >>> interval(figure, 0.81, 0.79, 0.83), interval(figure, 0.81, None, None)
    ('0.81 (0.79 to 0.83)', '0.81')
    """
    return say(value) if low is None or high is None else f"{say(value)} ({say(low)} to {say(high)})"


def day(moment: datetime) -> str:
    """Examples:
    >>> day(datetime(2026, 7, 3))
    '3 Jul'
    """
    return f"{moment.day} {_MONTHS[moment.month - 1]}"


def when(moment: datetime) -> str:
    """A time to the minute, UTC.

    Examples:
        >>> when(datetime(2026, 7, 3, 14, 5))
        '3 Jul 14:05'
    """
    return f"{day(moment)} {moment:%H:%M}"


def span(length: timedelta) -> str:
    """About how long, in the greatest unit of which there are two.

    Examples:
        >>> span(timedelta(hours=49)), span(timedelta(minutes=90)), span(timedelta(days=1)), span(timedelta(0))
        ('2 days', '90 minutes', '24 hours', '0 minutes')
    """
    for unit, one in (("days", 86_400), ("hours", 3_600)):
        if length.total_seconds() >= 2 * one:
            return f"{round(length.total_seconds() / one):,} {unit}"
    minutes = round(length.total_seconds() / 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def period(window: Window) -> str:
    """From when to when, with the year.

    Examples:
        >>> period(Window(datetime(2026, 7, 3), datetime(2026, 7, 17, 9)))
        '3 Jul 00:00 to 17 Jul 2026 09:00'
    """
    first = when(window.start) if window.start.year == window.end.year else _dated(window.start)
    return f"{first} to {_dated(window.end)}"


def _dated(moment: datetime) -> str:
    return f"{day(moment)} {moment.year} {moment:%H:%M}"


def listed(names: Sequence[str], most: int = 2) -> str:
    """Names in a sentence, the first few by name.

    Examples:
        >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], 3), listed(["a", "b", "c", "d"])
        ('a', 'a and b', 'a, b and c', 'a, b and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)


def slice_name(slice_: Mapping[str, str]) -> str:
    """Examples:
    >>> slice_name({"device": "phone"}), slice_name({})
    ('device = phone', 'all rows')
    """
    return ", ".join(f"{plain(k, 40)} = {plain(v, 40)}" for k, v in sorted(slice_.items())) or "all rows"


def example(measurement: Measurement) -> str:
    """What shows it best, as it was handed over: the first few facts.

    Examples:
        >>> from mainspring.domain.measurement import State
        >>> noon = datetime(2026, 7, 3, 12)
        >>> example(Measurement("m", "drift", "a", Window(noon, noon), noon, State.BAD, example={"was_new": "tv"}))
        'was new tv'
    """
    facts = list(measurement.example.items())[:_MOST_FACTS]
    told = ((key, figure(value) if isinstance(value, float) else plain(str(value), 40)) for key, value in facts)
    return ", ".join(f"{plain(str(key).replace('_', ' '), 30)} {value}" for key, value in told)
