"""The parts of the page that show figures over time: performance, business, technical, fairness."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.contents import Report
from mainspring.monitoring.report.drawings import forest, pill, volume_bars
from mainspring.monitoring.report.plots import Line, legend, trend
from mainspring.monitoring.report.series import Series, at_most
from mainspring.monitoring.report.tags import Child, Html, joined, tag
from mainspring.monitoring.report.words import counted, interval, listed, plain, sayer, slice_name, span, when

_MOST_PANELS = 12
_MOST_SLICES = 8
_MOST_FOLDED = 200
_MOST_OTHERS = 3
_DAY = timedelta(days=1)
_RANK = {State.BAD: 0, State.UNKNOWN: 1, State.FINE: 2}


def harm_section(report: Report) -> Html | None:
    """Performance by labels and estimated, and whether the truth still follows the inputs."""
    kinds = (MonitorKind.PERFORMANCE, MonitorKind.ESTIMATE, MonitorKind.CONCEPT)
    lead = "By the labels that came in, and, where dotted, estimated without labels. An estimate does not see a "
    lead += "change of the concept: that the same inputs now mean something else."
    return _section(report, "Does it hurt?", lead, kinds)


def business_section(report: Report) -> Html | None:
    return _section(report, "Business", "Figures of your own.", (MonitorKind.BUSINESS,))


def fairness_section(report: Report) -> Html | None:
    lead = "The greatest difference between groups, over time and group by group."
    return _section(report, "Fairness", lead, (MonitorKind.FAIRNESS,))


def technical_section(report: Report) -> Html | None:
    """Rows per hour, and what the gateway and the log tell of themselves."""
    panels = _panels(_groups(report, (MonitorKind.TECHNICAL,)), report, from_zero=True)
    if not panels and not report.volume:
        return None
    volume = [_volume(report)] if report.volume else []
    return tag(
        "section",
        tag("h2", "Volume and technical"),
        tag("p", "How much was asked of it, and how the gateway and the prediction log do."),
        tag("div", volume, class_="cards one") if volume else None,
        tag("div", panels, class_="cards three fold") if panels else None,
    )


def _section(report: Report, title: str, lead: str, kinds: Sequence[MonitorKind]) -> Html | None:
    """What is judged, large; what is only shown beside it, small."""
    groups = _groups(report, kinds)
    if not groups:
        return None
    judged = [group for group in groups if any(one.is_judged for one in group)]
    shown = [group for group in groups if not any(one.is_judged for one in group)]
    large = "cards one" if len(judged) == 1 else "cards"
    return tag(
        "section",
        tag("h2", title),
        tag("p", lead),
        tag("div", _panels(judged, report), class_=large) if judged else None,
        tag("div", _panels(shown, report), class_="cards three fold") if shown else None,
    )


def _groups(report: Report, kinds: Sequence[MonitorKind]) -> list[list[Series]]:
    """By subject, the bad first. Performance and its estimate stand together, so that they can be compared.

    What was never measured has none: it stands under what could not be said.
    """
    subjects: dict[tuple[bool, bool, str], list[Series]] = {}
    for one in report.of_kind(*kinds):
        subjects.setdefault((one.kind == MonitorKind.CONCEPT, one.of_jobs, one.subject), []).append(one)
    found = [group for group in subjects.values() if any(one.shown.value is not None for one in group)]
    return sorted(found, key=lambda group: (_rank(group), group[0].kind == MonitorKind.CONCEPT))


def _rank(group: Sequence[Series]) -> int:
    return min(_RANK[one.state] if one.current else len(_RANK) for one in group)


def _panels(groups: Sequence[Sequence[Series]], report: Report, *, from_zero: bool = False) -> list[Child]:
    panels: list[Child] = [_panel(group, report, from_zero=from_zero) for group in groups[:_MOST_PANELS]]
    if len(groups) > _MOST_PANELS:
        names = [group[0].name for group in groups[_MOST_PANELS:]]
        panels.append(tag("p", f"And {listed(names, 20)}, all in the report's JSON.", class_="soft"))
    return panels


def _panel(group: Sequence[Series], report: Report, *, from_zero: bool) -> Html:
    whole = [one for one in group if not one.slice]
    sliced = [one for one in group if one.slice and one.current]
    lines, words = _lines(whole)
    main = next(iter(_by_release([one for one in whole if one.current])), None) or next(iter(whole), group[0])
    say = sayer(main.kind, main.subject)
    one = main.shown
    children: list[Child] = [
        tag("div", tag("h3", main.name), _standing(group), class_="top"),
        _newest(main, one),
        _estimated(whole, main),
    ]
    if lines and any(point.value is not None for line in lines for point in line.points):
        label = f"{main.name} over time; newest {interval(say, one.value, one.low, one.high)}"
        moments = _release_moments(whole)
        drawn = trend(lines, period=report.period, say=say, label=label, moments=moments, from_zero=from_zero)
        children += [drawn, legend(*words)]
    if sliced:
        children.append(_slices(sliced))
    return tag("article", children, class_="card")


def _standing(group: Sequence[Series]) -> Html:
    """How the subject stands: by labels, and while they are not in, by the estimate."""
    current = [one for one in group if one.current]
    if not any(one.is_judged for one in current):
        return tag("span", "no bar", class_="soft")
    states = {one.state for one in current}
    if State.BAD in states or State.FINE not in states:
        return pill(State.BAD if State.BAD in states else State.UNKNOWN)
    guessed = all(one.kind == MonitorKind.ESTIMATE for one in current if one.state is State.FINE)
    return pill(State.FINE, "fine, as estimated" if guessed and len(current) > 1 else None)


def _newest(series: Series, one: Measurement) -> Html:
    """The newest figure, large, and what belongs to it."""
    say = sayer(series.kind, series.subject)
    facts = []
    if one.bar is not None:
        facts.append(f"fine {'up to' if at_most(series.points) else 'from'} {say(one.bar)}")
    if one.reference is not None:
        facts.append(
            f"{say(one.reference)} when released" if _sealed(series) else f"reference {say(one.reference)}"
        )
    facts.append(f"{span(one.window.length)} up to {when(one.window.end)}")
    if one.rows:
        facts.append(counted(one.rows, "labelled row" if series.kind == MonitorKind.PERFORMANCE else "row"))
    if series.since is not None:
        facts.append(f"bad since {when(series.since)}")
    edges = f" {say(one.low)} to {say(one.high)}" if one.low is not None and one.high is not None else None
    guess = tag("span", " estimated", class_="soft") if one.estimated else None
    value = tag("p", say(one.value), tag("span", edges, class_="soft") if edges else None, guess, class_="big")
    # Of what is only shown the note says just that.
    note = tag("p", plain(one.note, 300)) if one.note and series.is_judged else None
    return joined(value, tag("p", " · ".join(facts), class_="facts"), note)


def _estimated(whole: Sequence[Series], main: Series) -> Html | None:
    """Beside what the labels say: the estimate for the time whose labels are not in, and how right it was."""
    if main.kind != MonitorKind.PERFORMANCE:
        return None
    guess = next((one for one in whole if one.kind == MonitorKind.ESTIMATE and one.current), None)
    if guess is None or guess.shown.value is None:
        return None
    say, newest = sayer(guess.kind, guess.subject), guess.shown
    text = f"Estimated without labels: {interval(say, newest.value, newest.low, newest.high)}, "
    text += f"{span(newest.window.length)} up to {when(newest.window.end)}."
    truth = {one.window: one.value for one in main.points if one.value is not None}
    missed = [
        abs(one.value - truth[one.window]) for one in guess.points if one.value is not None and one.window in truth
    ]
    if missed:
        text += f" Where labels came in, the estimate was off by {say(sum(missed) / len(missed))} on average."
    return tag("p", text)


def _sealed(series: Series) -> bool:
    return series.kind in (MonitorKind.PERFORMANCE, MonitorKind.ESTIMATE)


def _by_release(series: Sequence[Series]) -> list[Series]:
    """What rests on labels first; what is current, of all releases, then of the newest; what is judged first."""
    return sorted(
        series,
        key=lambda one: (
            one.kind == MonitorKind.ESTIMATE,
            not one.current,
            one.release is not None,
            -(one.release or 0),
            not one.is_judged,
        ),
    )


def _distinct(series: Sequence[Series]) -> list[Series]:
    """One a release; and none of a release's own where it is the only one beside the line of all."""
    by_release: dict[int | None, Series] = {}
    for one in _by_release(series):
        by_release.setdefault(one.release, one)
    if None in by_release and len(by_release) == 2:
        return [by_release[None]]
    return list(by_release.values())


def _lines(whole: Sequence[Series]) -> tuple[list[Line], list[tuple[str, str]]]:
    """The lines of a panel, and what they stand for."""
    lines: list[Line] = []
    words: list[tuple[str, str]] = []
    measured = _distinct([one for one in whole if one.kind != MonitorKind.ESTIMATE])
    guessed = _distinct([one for one in whole if one.kind == MonitorKind.ESTIMATE])
    for place, one in enumerate(measured[: 1 + _MOST_OTHERS]):
        style = "now" if place == 0 else "other"
        lines.append(Line(one.points, style))
        what = "by labels" if one.kind == MonitorKind.PERFORMANCE else "measured"
        words.append((style, what if one.release is None else f"release {one.release}, {what}"))
    for one in guessed[:1]:
        lines.append(Line(one.points, "estimate"))
        words.append(("estimate", "estimated without labels"))
    shown = lines[0].points if lines else ()
    if any(one.bar is not None for one in shown):
        words.append(("bar", "bar"))
    if any(one.reference is not None for one in shown):
        words.append(("reference", "when released" if _sealed((measured or guessed)[0]) else "reference"))
    if any(point.state is State.BAD for line in lines for point in line.points):
        words.append(("bad", "bad"))
    return lines, words


def _release_moments(whole: Sequence[Series]) -> list[tuple[datetime, str]]:
    """Where a release's answers began within the period."""
    first: dict[int, datetime] = {}
    for one in whole:
        if one.release is not None:
            start = one.points[0].window.end
            first[one.release] = min(first.get(one.release, start), start)
    began = sorted(first.items(), key=lambda item: item[1])
    return [(moment, f"release {number}") for number, moment in began[1:] if moment > began[0][1]]


def _slices(sliced: Sequence[Series]) -> Html:
    """The newest figure of each slice, the worst first."""
    ordered = sorted(sliced, key=lambda one: (_RANK[one.state], -one.severity))
    say = sayer(ordered[0].kind, ordered[0].subject)
    releases = {one.release for one in ordered}
    rows = [(_slice_words(one, several=len(releases) > 1), one.shown) for one in ordered]
    folded = rows[_MOST_SLICES : _MOST_SLICES + _MOST_FOLDED]
    left = len(rows) - _MOST_SLICES - len(folded)
    return tag(
        "div",
        forest(rows[:_MOST_SLICES], say, beside=rows),
        tag("details", tag("summary", f"{counted(len(folded), 'more slice')}"), forest(folded, say, beside=rows))
        if folded
        else None,
        tag("p", f"{left:,} more stand in the report's JSON.", class_="soft") if left > 0 else None,
    )


def _slice_words(series: Series, *, several: bool) -> str:
    guess = ", estimated" if series.kind == MonitorKind.ESTIMATE else ""
    release = f", release {series.release}" if several and series.release is not None else ""
    return f"{slice_name(dict(series.slice))}{release}{guess}"


def _volume(report: Report) -> Html:
    lately = sum(rows for hour, rows in report.volume if hour >= report.period.end - _DAY)
    text = f"{counted(report.rows, 'row')} in {span(report.period.length)}, {lately:,} in the last 24 hours"
    return tag(
        "article",
        tag("div", tag("h3", "Rows answered"), class_="top"),
        tag("p", text, class_="what"),
        volume_bars(report.volume, report.period),
        class_="card",
    )
