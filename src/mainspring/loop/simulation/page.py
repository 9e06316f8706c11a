"""A simulation as one page: the picture, what each course cost and brought, every training with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.loop.simulation.outcome import Course, Simulated, SimulatedChange
from mainspring.loop.simulation.picture import Line, picture
from mainspring.loop.simulation.quality import in_all, over_time
from mainspring.monitoring.report.html import document
from mainspring.monitoring.report.tags import Html, tag
from mainspring.monitoring.report.words import when

_POINTS = 50


def simulation_html(found: Simulated) -> str:
    """The whole page as text."""
    title = f"{found.model}: simulation of {len(found.truth):,} rows"
    header = tag(
        "header",
        tag("h1", found.model, tag("span", " simulation", class_="soft")),
        tag("p", f"{len(found.truth):,} rows from {when(found.at[0])} to {when(found.at[-1])} UTC"),
    )
    sections = [
        tag("section", simulation_picture(found), class_="card"),
        _section(
            "What it cost and brought",
            _table(
                ("", found.metric, "trainings", "processor seconds"),
                [_course(found, one) for one in found.courses],
            ),
        ),
        _section("Trainings", _table(("row", "why", "what came of it", "window"), _trainings(found))),
        _section("Changes of champion", _table(("row", "release", "right more often by"), _changes(found))),
    ]
    return document(title, tag("body", header, tag("main", sections)))


def simulation_picture(found: Simulated, *, title: str = "", changes: Sequence[int] = ()) -> Html:
    """The metric along the stream.

    Args:
        changes: the rows at which the law is known to have changed.
    """
    lines = [Line(course.name, over_time(found, course, _POINTS)) for course in found.courses]
    trained = [one.row for one in found.trainings]
    return picture(title or found.model, lines, trainings=trained, changes=changes, what=found.metric)


def told_gain(change: SimulatedChange) -> str:
    """By how much a new champion was better, in words.

    Examples:
        >>> from datetime import datetime
        >>> told_gain(SimulatedChange(7, datetime(2026, 1, 5), 1, 2, rows=12))
        'too few rows followed'
    """
    if change.gain is None or change.low is None or change.high is None:
        return "too few rows followed"
    harm = ": worse than before" if change.was_harmful else ""
    return f"{change.gain:+.4f} ({change.low:+.4f} to {change.high:+.4f}) on {change.rows:,} rows{harm}"


def _course(found: Simulated, course: Course) -> tuple[str, ...]:
    return course.name, f"{in_all(found, course):.4f}", f"{course.trainings:,}", f"{course.seconds:,.1f}"


def _trainings(found: Simulated) -> list[tuple[str, ...]]:
    return [
        (
            f"{one.row:,}",
            f"{one.kind}: {one.reason}",
            one.problem or (f"release {one.release}" if one.release is not None else one.state),
            f"{one.window}, {one.rows:,} rows" if one.window else "",
        )
        for one in found.trainings
    ]


def _changes(found: Simulated) -> list[tuple[str, ...]]:
    return [(f"{one.row:,}", f"{one.before} → {one.after}", told_gain(one)) for one in found.changes]


def _section(name: str, content: Html) -> Html:
    return tag("section", tag("h2", name), content, class_="card")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    if not rows:
        return tag("p", "none", class_="none")
    head = tag("thead", tag("tr", [tag("th", word, scope="col") for word in heads]))
    return tag("table", head, tag("tbody", [tag("tr", [tag("td", cell) for cell in row]) for row in rows]))
