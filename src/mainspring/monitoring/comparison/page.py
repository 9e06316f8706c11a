"""The comparison of two tables as one page: without scripts and without the network, as the report is."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.domain.measurement import State
from mainspring.monitoring.comparison.comparison import ColumnComparison, TableComparison
from mainspring.monitoring.report.drawings import distribution, pill, two_sides
from mainspring.monitoring.report.html import document
from mainspring.monitoring.report.picture import FeaturePicture, feature_picture
from mainspring.monitoring.report.plots import legend
from mainspring.monitoring.report.tags import Html, joined, tag
from mainspring.monitoring.report.words import counted, figure, method_name, plain, probability, share

_PICTURED = 12  # columns that changed
_NEAREST = 2  # columns where none changed
_LISTED = 1_000
_LONGEST = 300
_WORDS = {State.BAD: "They differ", State.FINE: "They are alike", State.UNKNOWN: "Not enough to say"}
_COLUMN_WORDS = {State.BAD: "changed", State.FINE: "as it was", State.UNKNOWN: "not enough to say"}


def comparison_html(found: TableComparison) -> str:
    """The whole page as text; its size depends on the columns, not on the rows."""
    a, b = (plain(name) for name in found.names)
    shown = found.changed[:_PICTURED] or tuple(one for one in found.columns if one.judged)[:_NEAREST]
    others = [one for one in found.columns if not any(one is other for other in shown)]
    title = f"{b} beside {a}"
    header = tag(
        "header",
        tag("h1", title),
        tag("p", f"{counted(found.rows[1], 'row')} beside {counted(found.rows[0], 'row')}"),
    )
    verdict = tag(
        "section",
        pill(found.state, _WORDS[found.state]),
        tag("p", plain(found.headline, 2 * _LONGEST), class_="title"),
        class_=f"card verdict {found.state}",
        aria_label="Verdict",
    )
    cards = tag(
        "section",
        tag("h2", "What changed" if found.changed else "Nearest to a change"),
        tag("div", [_card(one, found.names) for one in shown], class_="cards one"),
        _folded(others) if others else None,
    )
    return document(title, tag("body", header, tag("main", verdict, cards)))


def _card(one: ColumnComparison, names: tuple[str, str]) -> Html:
    picture = feature_picture(one.name, one.a, one.b) if one.a is not None and one.b is not None else None
    columns = [_drawn(picture, names), _sides(picture)] if picture is not None else []
    note = plain(one.note, _LONGEST)
    return tag(
        "article",
        tag("div", tag("h3", plain(one.name)), pill(one.state, _COLUMN_WORDS[one.state]), class_="top"),
        tag("p", f"{note[:1].upper()}{note[1:]}.", class_="what") if note else None,
        tag("p", _facts(one), class_="facts"),
        tag("div", [tag("div", column) for column in columns], class_="both") if columns else None,
        class_="card change",
    )


def _facts(one: ColumnComparison) -> str:
    if one.judged is None:
        return ""
    component = one.judged.component
    effect = f"{method_name(component.method)} {figure(component.effect)}, fine up to {figure(one.judged.bar)}"
    return " · ".join(filter(None, [effect, probability(one.judged.p_value), str(one.kinds[1] or "")]))


def _drawn(picture: FeaturePicture, names: tuple[str, str]) -> Html:
    words = legend(("was", plain(names[0])), ("is", plain(names[1])))
    return joined(tag("h4", "Share of the rows"), distribution(picture), words)


def _sides(picture: FeaturePicture) -> Html:
    before, now = picture.reference, picture.window
    rows = [("missing", share(before.missing), share(now.missing))]
    if picture.ranges and picture.kind != "time":
        rows = [
            ("mean", figure(before.mean), figure(now.mean)),
            ("median", figure(before.median), figure(now.median)),
            *rows,
        ]
    if before.infinite or now.infinite:
        rows.append(("infinite", figure(before.infinite), figure(now.infinite)))
    return two_sides(("before", "now"), rows)


def _folded(others: Sequence[ColumnComparison]) -> Html:
    counts = [
        f"{number:,} {_COLUMN_WORDS[state]}"
        for state in (State.BAD, State.UNKNOWN, State.FINE)
        if (number := sum(one.state is state for one in others))
    ]
    heads = [
        tag("th", word, scope="col", class_=style)
        for word, style in (
            ("column", None),
            ("", None),
            ("effect", "number"),
            ("fine up to", "number"),
            ("what is different", None),
        )
    ]
    left = len(others) - _LISTED
    return tag(
        "details",
        tag("summary", "; ".join(counts)),
        tag(
            "div",
            tag("table", tag("thead", tag("tr", heads)), tag("tbody", [_row(one) for one in others[:_LISTED]])),
            class_="card table",
        ),
        tag("p", f"{left:,} more stand in the JSON.", class_="soft") if left > 0 else None,
    )


def _row(one: ColumnComparison) -> Html:
    component = one.judged.component if one.judged else None
    return tag(
        "tr",
        tag("th", plain(one.name), scope="row"),
        tag("td", pill(one.state, _COLUMN_WORDS[one.state])),
        tag("td", figure(component.effect) if component else "", class_="number"),
        tag("td", figure(one.judged.bar) if one.judged else "", class_="number"),
        tag("td", plain(one.note, _LONGEST)),
    )
