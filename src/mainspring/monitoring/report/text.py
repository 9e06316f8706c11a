"""The report for a terminal: what the page says, on a screen or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.change import Change
from mainspring.monitoring.report.contents import Report
from mainspring.monitoring.report.series import Series, at_most
from mainspring.monitoring.report.words import (
    effect_sayer,
    interval,
    listed,
    method_name,
    period,
    plain,
    sayer,
    slice_name,
    span,
    when,
)

if TYPE_CHECKING:  # a program that wants JSON need not load the terminal
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_STYLE = {State.BAD: "bold red", State.FINE: "green", State.UNKNOWN: "yellow"}
_SIGN = {State.BAD: "✕", State.FINE: "✓", State.UNKNOWN: "?"}
_BLOCKS = "▁▂▃▄▅▆▇█"
_TREND = 28  # characters
_MOST_CHANGES = 12
_MOST_FIGURES = 30
_MOST_ALERTS = 10
_MOST_UNSAID = 10
_FIGURES = (
    MonitorKind.PERFORMANCE,
    MonitorKind.ESTIMATE,
    MonitorKind.CONCEPT,
    MonitorKind.BUSINESS,
    MonitorKind.FAIRNESS,
    MonitorKind.TECHNICAL,
)


def report_text(report: Report) -> RenderableType:
    """Everything as text: names of strangers are never taken for markup."""
    from rich.console import Group
    from rich.text import Text

    headline = report.headline
    head = Text.assemble(
        (f"{_SIGN[report.state]} {headline.title}", _STYLE[report.state]),
        (f"\n{plain(report.model)}, {_seen(report)}\n", "dim"),
    )
    answers = Text()
    for question, answer in (
        ("What changed?  ", headline.changed),
        ("Since when?    ", headline.since),
        ("Does it hurt?  ", headline.hurts),
    ):
        answers.append(question, style="bold").append(f"{answer}\n")
    parts: list[RenderableType] = [head, answers]
    if report.changes:
        parts += [_changes(report.changes), Text()]
    figures = [one for kind in _FIGURES for one in report.of_kind(kind) if one.current]
    if figures:
        parts += [_figures(figures), Text()]
    if report.alerts:
        parts += [_alerts(report.alerts), Text()]
    if report.unsaid:
        parts.append(_unsaid(report))
    return Group(*parts)


def _seen(report: Report) -> str:
    releases = listed([str(number) for number in report.releases], 5)
    seen = f", {report.seen}" if report.seen else ""
    return f"{f'release {releases}, ' if releases else ''}{period(report.period)} UTC{seen}"


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _changes(changes: Sequence[Change]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    table = _table(
        "", "column", "effect", "fine up to", "over time", "what is different", right=("effect", "fine up to")
    )
    bad = [change for change in changes if change.state is State.BAD]
    shown = (bad or list(changes[:3]))[:_MOST_CHANGES]
    for change in shown:
        one = change.worst.shown
        table.add_row(
            _sign(change.state),
            Text(change.title),
            Text(f"{method_name(one.method)} {effect_sayer(one.method)(one.value)}".strip()),
            Text(effect_sayer(one.method)(one.bar)),
            Text(trend(change.worst.points), style="cyan"),
            Text(plain(change.sentence, 120)),
        )
    left = len(changes) - len(shown)
    if not left:
        return table
    rest = Text(f"and {left:,} more: {_counts(changes[len(shown) :])}", style="dim")
    return Group(table, rest)


def _counts(changes: Sequence[Change]) -> str:
    words = {State.BAD: "changed", State.FINE: "as they were", State.UNKNOWN: "not enough to say"}
    counts = {state: sum(change.state is state for change in changes) for state in words}
    return ", ".join(f"{count:,} {words[state]}" for state, count in counts.items() if count)


def _figures(series: Sequence[Series]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    table = _table("", "figure", "newest", "fine", "over time", "up to")
    for one in series[:_MOST_FIGURES]:
        newest, say = one.shown, sayer(one.kind, one.subject)
        guess = " (estimated)" if newest.estimated else ""
        of = f", {slice_name(dict(one.slice))}" if one.slice else ""
        bar = "" if newest.bar is None else f"{'≤' if at_most(one.points) else '≥'} {say(newest.bar)}"
        table.add_row(
            _sign(one.state),
            Text(f"{one.name}{guess}{of}"),
            Text(interval(say, newest.value, newest.low, newest.high)),
            Text(bar),
            Text(trend(one.points), style="cyan"),
            Text(when(newest.window.end)),
        )
    left = len(series) - _MOST_FIGURES
    return table if left <= 0 else Group(table, Text(f"and {left:,} more; --json has all", style="dim"))


def trend(points: Sequence[Measurement]) -> str:
    """The last values as blocks of growing height; a gap where nothing could be said.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from mainspring.domain.measurement import Window
        >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        >>> look = lambda value: Measurement("m", "drift", "a", Window(noon, noon), noon, State.FINE, value=value)
        >>> trend([look(0.0), look(1.0), look(None), look(0.5)])
        '▁█ ▅'
    """
    step = max(1, -(-len(points) // _TREND))
    chosen = points[::-1][::step][::-1]
    values = [one.value for one in chosen]
    told = [value for value in values if value is not None]
    if len(told) < 2:
        return ""
    low, high = min(told), max(told)
    if high == low:
        return "".join(" " if value is None else _BLOCKS[0] for value in values)
    top = len(_BLOCKS) - 1
    return "".join(
        " " if value is None else _BLOCKS[int((value - low) / (high - low) * top + 0.5)] for value in values
    )


def _alerts(alerts: Sequence[Alert]) -> RenderableType:
    table = _table("", "alert", "state", "since", "cause", "look further")
    from rich.text import Text

    for alert in alerts[:_MOST_ALERTS]:
        state = State.FINE if alert.state is AlertState.RESOLVED else State.BAD
        causes = [plain(cause.subject or cause.monitor, 40) for cause in alert.causes]
        end = alert.resolved_at
        lasted = f", {span(end - alert.since)}" if end is not None else ""
        table.add_row(
            _sign(state),
            Text(plain(alert.monitor)),
            Text(f"{alert.severity}, {alert.state}"),
            Text(f"{when(alert.since)}{lasted}"),
            Text(listed(causes, 3)),
            Text(f"mainspring alerts show {plain(alert.id)}", style="dim"),
        )
    return table


def _unsaid(report: Report) -> Text:
    from rich.text import Text

    lines = [f"{plain(one.monitor)}: {plain(one.note, 200)} ({listed(one.subjects, 3)})" for one in report.unsaid]
    left = len(lines) - _MOST_UNSAID
    more = f"\n  and {left:,} more" if left > 0 else ""
    return Text(
        "Not enough to say:\n" + "\n".join(f"  {line}" for line in lines[:_MOST_UNSAID]) + more, style="yellow"
    )


def _sign(state: State) -> Text:
    from rich.text import Text

    return Text(_SIGN[state], style=_STYLE[state])
