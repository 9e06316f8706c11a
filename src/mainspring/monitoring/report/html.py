"""The report as one page: without scripts, without the network, light and dark, on paper too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.contents import Report, Unsaid
from mainspring.monitoring.report.drawings import lanes, pill
from mainspring.monitoring.report.page_change import change_section
from mainspring.monitoring.report.page_trends import (
    business_section,
    fairness_section,
    harm_section,
    technical_section,
)
from mainspring.monitoring.report.plots import legend
from mainspring.monitoring.report.scale import UNITS, along, time_ticks
from mainspring.monitoring.report.series import Series, at_most
from mainspring.monitoring.report.tags import Html, joined, tag
from mainspring.monitoring.report.words import (
    counted,
    day,
    example,
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

_STYLE = Path(__file__).with_name("page.css")
_MOST_LANES = 24
_MOST_ALERTS = 20
_MOST_CAUSES = 3
_MOST_UNSAID = 20
# Even if a name could be smuggled in as markup, the page could neither run nor fetch anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WORDS = {State.BAD: "Needs attention", State.FINE: "Fine", State.UNKNOWN: "Not enough to say"}
_ORDER = list(MonitorKind)


def report_html(report: Report) -> str:
    """The whole page as text; its size depends on the monitors and columns, not on the rows."""
    title = f"{plain(report.model)}: monitor report of {when(report.period.end)}"
    main = tag(
        "main",
        _verdict(report),
        _glance(report),
        change_section(report),
        harm_section(report),
        technical_section(report),
        fairness_section(report),
        business_section(report),
        _alerts(report),
        _unsaid(report.unsaid),
    )
    return document(title, tag("body", _header(report), main, _footer(report)))


def document(title: str, body: Html) -> str:
    """A whole page in the report's style."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(report: Report) -> Html:
    releases = [str(number) for number in report.releases]
    facts = [
        f"release{'s' if len(releases) > 1 else ''} {listed(releases, 5)}" if releases else "",
        f"{span(report.period.length)}: {period(report.period)} UTC",
        report.seen,
    ]
    return tag(
        "header",
        tag("h1", plain(report.model), tag("span", " monitor report", class_="soft")),
        tag("p", " · ".join(fact for fact in facts if fact)),
    )


def _verdict(report: Report) -> Html:
    headline = report.headline
    answers = (
        ("What changed?", headline.changed),
        ("Since when?", headline.since),
        ("Does it hurt?", headline.hurts),
    )
    told = [tag("div", tag("dt", question), tag("dd", answer)) for question, answer in answers]
    return tag(
        "section",
        pill(report.state, _WORDS[report.state]),
        tag("p", f"{headline.title}.", class_="title"),
        tag("dl", told, class_="answers"),
        class_=f"card verdict {report.state}",
        aria_label="Verdict",
    )


def _glance(report: Report) -> Html | None:
    monitors: dict[str, list[Series]] = {}
    for one in sorted(report.series, key=lambda one: _ORDER.index(MonitorKind(one.kind))):
        monitors.setdefault(one.monitor, []).append(one)
    if not monitors:
        return None
    shown = list(monitors.items())
    if len(shown) > _MOST_LANES:
        shown.sort(key=lambda item: all(one.state is not State.BAD for one in item[1]))
    left = len(shown) - _MOST_LANES
    ticks = [
        tag(
            "span",
            day(moment) if moment.hour == 0 else f"{moment:%H:%M}",
            style=f"left:{along(moment, report.period) / 10:.1f}%",
        )
        for moment in time_ticks(report.period, 7)
        if along(moment, report.period) < 0.97 * UNITS
    ]
    return tag(
        "section",
        lanes([(plain(name, 40), series) for name, series in shown[:_MOST_LANES]], report.period),
        tag("div", tag("div", ticks, class_="x"), class_="foot"),
        legend(("lane-bad", "something is bad"), ("fine", "fine"), ("unknown", "not enough to say")),
        tag("p", f"{left:,} more monitors stand in the report's JSON.", class_="soft") if left > 0 else None,
        class_="card glance",
        aria_label="Each monitor over time",
    )


def _alerts(report: Report) -> Html:
    items = [_alert(alert, report) for alert in report.alerts[:_MOST_ALERTS]]
    left = len(report.alerts) - len(items)
    inside = (
        tag("ul", items, class_="plain") if items else tag("p", f"None in these {span(report.period.length)}.")
    )
    return tag(
        "section",
        tag("h2", "Alerts"),
        tag("p", "What people were told, or are about to be."),
        tag("div", inside, class_="card"),
        tag("p", f"{left:,} more: mainspring alerts list", class_="soft") if left else None,
    )


def _alert(alert: Alert, report: Report) -> Html:
    state = State.FINE if alert.state is AlertState.RESOLVED else State.BAD
    if alert.state is AlertState.PENDING:
        state = State.UNKNOWN
    end = alert.resolved_at or report.generated_at
    facts = [
        f"since {when(alert.since)}",
        f"for {span(end - alert.since)}" if alert.resolved_at is not None else f"{span(end - alert.since)} so far",
        f"resolved {when(alert.resolved_at)}" if alert.resolved_at is not None else "",
        f"owner {plain(alert.owner)}" if alert.owner else "no owner",
        f"went to and fro {alert.times_changed} times" if alert.times_changed > 1 else "",
    ]
    causes = [tag("p", _cause(cause)) for cause in alert.causes[:_MOST_CAUSES]]
    more = len(alert.causes) - len(causes)
    return tag(
        "li",
        tag(
            "div",
            tag("h3", plain(alert.monitor)),
            pill(state, f"{alert.severity}, {alert.state}"),
            class_="top",
        ),
        causes,
        tag("p", f"and {counted(more, 'more cause')}", class_="soft") if more else None,
        tag("p", " · ".join(fact for fact in facts if fact), class_="soft"),
        tag("p", tag("code", f"mainspring alerts show {plain(alert.id)}"), class_="soft"),
        class_="alert",
    )


def _cause(cause: Measurement) -> str:
    say = sayer(cause.kind, cause.subject)
    name = plain(cause.subject or cause.monitor)
    of = f" of {slice_name(cause.slice)}" if cause.slice else ""
    measured = f"{method_name(cause.method)} {interval(say, cause.value, cause.low, cause.high)}".strip()
    bar = ""
    if cause.bar is not None:
        bar = f", fine {'up to' if at_most((cause,)) else 'from'} {say(cause.bar)}"
    shown = plain(cause.note, 200) or example(cause)
    return f"{name}{of}: {measured}{bar}{'; ' if shown else ''}{shown}"


def _unsaid(unsaid: Sequence[Unsaid]) -> Html | None:
    if not unsaid:
        return None
    items = []
    for one in unsaid[:_MOST_UNSAID]:
        known = f"; last known {when(one.known)}" if one.known is not None else ""
        of = "" if one.subjects == (one.monitor,) else f" ({listed(one.subjects, 4)})"
        items.append(
            tag(
                "li", tag("h3", plain(one.monitor)), tag("p", f"{plain(one.note, 300)}{of}{known}"), class_="alert"
            )
        )
    left = len(unsaid) - len(items)
    return tag(
        "section",
        tag("h2", "What could not be said"),
        tag("p", "At the newest look. It is neither fine nor bad: there was not enough to say."),
        tag("div", tag("ul", items, class_="plain"), class_="card"),
        tag("p", f"{left:,} more stand in the report's JSON.", class_="soft") if left else None,
    )


def _footer(report: Report) -> Html:
    lines = (
        f"Made by Mainspring on {when(report.generated_at)} {report.generated_at.year} UTC. All times are UTC.",
        "Intervals hold the true figure 19 times in 20.",
        "p-values are corrected for the number of columns.",
    )
    return tag("footer", tag("h2", "How to read this"), joined([tag("p", line) for line in lines]))
