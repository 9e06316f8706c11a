"""The part of the page that shows what changed: the worst columns with their pictures, the others folded."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.domain.measurement import State
from mainspring.monitoring.report.change import Change
from mainspring.monitoring.report.contents import Report
from mainspring.monitoring.report.drawings import distribution, pill, spark, two_sides
from mainspring.monitoring.report.picture import FeaturePicture
from mainspring.monitoring.report.plots import Line, legend, trend
from mainspring.monitoring.report.series import Series, at_most
from mainspring.monitoring.report.tags import Html, joined, tag
from mainspring.monitoring.report.words import (
    counted,
    effect_sayer,
    figure,
    method_name,
    plain,
    probability,
    share,
    slice_name,
    when,
)

_PICTURED = 8  # bad columns with a picture
_PICTURED_FINE = 2  # where nothing is bad, so many of the nearest to it
_SLICES = 4
_MOST_FOLDED = 1_000


def change_section(report: Report) -> Html | None:
    """What changed; `None` where it was not measured."""
    if not report.changes:
        return None
    bad = [change for change in report.changes if change.state is State.BAD]
    shown = (
        bad[:_PICTURED] or [c for c in report.changes if c.picture is not None and c.picture.bars][:_PICTURED_FINE]
    )
    others = [change for change in report.changes if not any(change is one for one in shown)]
    lead = "No column changed by more than matters. Nearest to it:"
    if bad:
        first = ", the one that changed most first" if len(bad) > 1 else ""
        lead = f"{len(bad):,} of {counted(len(report.changes), 'column')}{first}."
    return tag(
        "section",
        tag("h2", "What changed"),
        tag("p", lead),
        tag("div", [_card(change, report) for change in shown], class_="cards one"),
        _folded(others) if others else None,
    )


def _card(change: Change, report: Report) -> Html:
    worst = change.worst
    one = worst.shown
    say = effect_sayer(one.method)
    effect = [
        tag("h4", f"Effect over time ({method_name(one.method)})" if one.method else "Effect over time"),
        trend(
            [Line(worst.points)],
            period=report.period,
            say=say,
            label=f"effect over time, now {say(one.value)}, fine up to {say(one.bar)}",
            from_zero=True,
            small=True,
        ),
        legend(("", "effect"), ("bar", "fine up to here"), ("bad", "bad")),
    ]
    columns = [
        tag("div", _picture(change.picture)) if change.picture is not None else None,
        tag("div", effect if one.value is not None else None, _sides(change.picture)),
    ]
    return tag(
        "article",
        tag("div", tag("h3", change.title), pill(change.state, _word(change)), class_="top"),
        tag("p", f"{change.sentence[:1].upper()}{change.sentence[1:]}.", class_="what")
        if change.sentence
        else None,
        tag("p", _facts(change), class_="facts"),
        tag("p", plain(one.note, 400), class_="facts")
        if one.note and not one.note.startswith(change.sentence[:80] or one.note)
        else None,
        tag("div", columns, class_="both"),
        class_="card change",
    )


def _word(change: Change) -> str:
    what = "answer" if change.is_answer else "input"
    return {State.BAD: f"{what} changed", State.FINE: f"{what} as it was", State.UNKNOWN: "not enough to say"}[
        change.state
    ]


def _facts(change: Change) -> str:
    worst = change.worst
    one = worst.shown
    facts = []
    if worst.subject not in (change.name, ""):
        facts.append(plain(worst.subject.removeprefix(f"{change.name}: ")))
    if worst.slice:
        facts.append(f"where {slice_name(dict(worst.slice))}")
    facts.append(_effect(worst))
    facts.append(probability(one.p_value))
    if change.since is not None:
        facts.append(f"first seen {when(change.since)}")
    facts.append(counted(one.rows, "row"))
    if worst.release is not None:
        facts.append(f"release {worst.release}")
    also = [
        other
        for other in change.series[1:]
        if other.state is State.BAD and (other.slice or other.subject != worst.subject)
    ]
    if also:
        named = [slice_name(dict(o.slice)) if o.slice else _part(change, o) for o in also]
        more = f" and {len(named) - _SLICES:,} more" if len(named) > _SLICES else ""
        facts.append(f"bad too: {', '.join(dict.fromkeys(named[:_SLICES]))}{more}")
    return " · ".join(fact for fact in facts if fact)


def _part(change: Change, series: Series) -> str:
    part = series.subject.removeprefix(change.name).removeprefix(": ")
    return plain(part) if part else "distribution"


def _effect(series: Series) -> str:
    one = series.shown
    if one.value is None:
        return ""
    say = effect_sayer(one.method)
    bar = "" if one.bar is None else f", fine {'up to' if at_most(series.points) else 'from'} {say(one.bar)}"
    return f"{method_name(one.method)} {say(one.value)}{bar}".strip()


def _picture(picture: FeaturePicture) -> Html:
    words = legend(
        ("was", f"reference, {counted(picture.reference.rows, 'row')}"),
        ("is", f"window, {counted(picture.window.rows, 'row')}"),
    )
    scale = ", each range a step longer" if picture.growing else ""
    return joined(tag("h4", f"Share of the rows{scale}"), distribution(picture), words)


def _sides(picture: FeaturePicture | None) -> Html | None:
    if picture is None or not picture.reference.rows or not picture.window.rows:
        return None
    before, now = picture.reference, picture.window
    rows = [("missing", share(before.missing), share(now.missing))]
    if picture.ranges and picture.kind != "time":
        rows = [
            ("mean", figure(before.mean), figure(now.mean)),
            ("median", figure(before.median), figure(now.median)),
            (
                "5 % to 95 %",
                f"{figure(before.low)} to {figure(before.high)}",
                f"{figure(now.low)} to {figure(now.high)}",
            ),
            *rows,
        ]
    if before.infinite or now.infinite:
        rows.append(("infinite", figure(before.infinite), figure(now.infinite)))
    return two_sides(("reference", "window"), rows)


def _folded(others: Sequence[Change]) -> Html:
    bad = sum(change.state is State.BAD for change in others)
    unknown = sum(change.state is State.UNKNOWN for change in others)
    parts = [
        f"{bad:,} more that changed" if bad else "",
        f"{unknown:,} of which there is not enough to say" if unknown else "",
        f"{len(others) - bad - unknown:,} as they were" if len(others) > bad + unknown else "",
    ]
    shown = others[:_MOST_FOLDED]
    heads = [
        tag("th", word, scope="col", class_=style)
        for word, style in (
            ("column", None),
            ("", None),
            ("effect", "number"),
            ("fine up to", "number"),
            ("lately", None),
            ("what is different", None),
        )
    ]
    rows = [_row(change) for change in shown]
    left = len(others) - len(shown)
    return tag(
        "details",
        tag("summary", "; ".join(part for part in parts if part)),
        tag("div", tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows)), class_="card table"),
        tag("p", f"{left:,} more stand in the report's JSON.", class_="soft") if left else None,
    )


def _row(change: Change) -> Html:
    one = change.worst.shown
    say = effect_sayer(one.method)
    small = len(change.sentence) > 160
    return tag(
        "tr",
        tag("th", change.title, scope="row"),
        tag("td", pill(change.state, None if change.state is not State.BAD else "changed"), class_="fit"),
        tag(
            "td",
            f"{method_name(one.method)} {say(one.value)}".strip() if one.value is not None else "–",
            class_="number",
        ),
        tag("td", say(one.bar), class_="number"),
        tag("td", spark(change.worst.points)),
        tag("td", f"{change.sentence[:159]}…" if small else change.sentence, class_="soft"),
    )
