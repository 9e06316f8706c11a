"""A value over time: lines with their intervals, the bar, what is bad. SVG for the shapes, HTML for the words.

Shapes are stretched to the width of the page, words are not: so they can be read on a phone too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.monitoring.report.scale import UNITS, Scale, along, quantile, scale_of, time_ticks
from mainspring.monitoring.report.series import at_most
from mainspring.monitoring.report.tags import Child, Html, joined, tag
from mainspring.monitoring.report.words import Say, counted, day, interval, when

_MOST_HOVERS = 84


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one line, and how it looks: `now`, `estimate` or `other`."""

    points: Sequence[Measurement]
    style: str = "now"


def stretched(*shapes: Child, **attributes: str) -> Html:
    """Shapes in `UNITS`, stretched over their box; hidden from readers, who get the words beside them."""
    return tag(
        "svg",
        *shapes,
        viewBox=f"0 0 {UNITS} {UNITS}",
        preserveAspectRatio="none",
        aria_hidden="true",
        **attributes,
    )


def trend(
    lines: Sequence[Line],
    *,
    period: Window,
    say: Say,
    label: str,
    moments: Sequence[tuple[datetime, str]] = (),
    from_zero: bool = False,
    small: bool = False,
) -> Html:
    """Lines over time.

    Args:
        label: what a reader who cannot see is told.
        moments: what happened when, as upright lines with a word.
        small: without hovering and with fewer ticks.
    """
    everything = [one for line in lines for one in line.points]
    scale = _scale(everything, from_zero)
    first = lines[0].points if lines else ()
    bar = next((one.bar for one in reversed(first) if one.bar is not None), None)
    reference = next((one.reference for one in reversed(first) if one.reference is not None), None)
    shapes: list[Child] = []
    if bar is not None:
        shapes += _bar(bar, scale, upper=at_most(first))
    if reference is not None and not small:
        place = scale.up(reference)
        shapes.append(tag("path", d=f"M0 {place}H{UNITS}", class_="reference"))
    for line in lines:
        shapes += _line(line, scale, period)
    shapes += [tag("path", d=f"M{along(moment, period)} 0V{UNITS}", class_="moment") for moment, _ in moments]
    if not small:
        shapes += _hovers(lines, period, say)
    ticks = scale.ticks(2 if small else 4)
    return framed(
        stretched(*shapes),
        period=period,
        label=label,
        ticks=[(scale.up(tick) / UNITS, say(tick)) for tick in ticks],
        moments=moments,
        small=small,
    )


def framed(
    drawing: Html,
    *,
    period: Window,
    label: str,
    ticks: Sequence[tuple[float, str]],
    moments: Sequence[tuple[datetime, str]] = (),
    small: bool = False,
) -> Html:
    """A drawing with its axes.

    Args:
        ticks: of the upright axis: how far down, from 0 to 1, and the words.
    """
    return tag(
        "div",
        tag("div", [tag("span", word, style=f"top:{100 * at:.1f}%") for at, word in ticks], class_="y"),
        tag(
            "div",
            tag("div", [tag("i", style=f"top:{100 * at:.1f}%") for at, _ in ticks], class_="grid"),
            drawing,
            [tag("em", word, style=f"left:{along(moment, period) / 10:.1f}%") for moment, word in moments],
            class_="area",
        ),
        tag("div", _time_words(period, 4 if small else 7), class_="x"),
        class_="plot small" if small else "plot",
        role="img",
        aria_label=label,
    )


def _time_words(period: Window, most: int) -> Iterator[Html]:
    for moment in time_ticks(period, most):
        if along(moment, period) > 0.97 * UNITS:
            continue  # the word would stand beyond the edge
        word = day(moment) if moment.hour == 0 else f"{moment:%H:%M}"
        yield tag("span", word, style=f"left:{along(moment, period) / 10:.1f}%")


def _scale(points: Sequence[Measurement], from_zero: bool) -> Scale:
    """Over values, bars and references; of the intervals without the few that are far wider than the others."""
    lows = [one.low for one in points if one.low is not None]
    highs = [one.high for one in points if one.high is not None]
    edges = [*([quantile(lows, 0.05)] if lows else []), *([quantile(highs, 0.95)] if highs else [])]
    values = [number for one in points for number in (one.value, one.bar, one.reference)]
    return scale_of([*values, *edges], from_zero=from_zero)


def _bar(bar: float, scale: Scale, *, upper: bool) -> list[Child]:
    place = scale.up(bar)
    top, height = (0, place) if upper else (place, UNITS - place)
    return [
        tag("rect", x=0, y=top, width=UNITS, height=height, class_="beyond"),
        tag("path", d=f"M0 {place}H{UNITS}", class_="bar"),
    ]


def _line(line: Line, scale: Scale, period: Window) -> list[Child]:
    shapes: list[Child] = []
    strokes, bands, bad = [], [], []
    for run in _runs(line.points, lambda one: one.value is not None):
        places = [(along(one.window.end, period), scale.up(one.value or 0.0)) for one in run]
        strokes.append(_through(places) if len(places) > 1 else f"M{places[0][0]} {places[0][1]}h0")
        bad += [place for place, one in zip(places, run, strict=True) if one.state is State.BAD]
    for run in _runs(line.points, lambda one: one.low is not None and one.high is not None):
        upper = [(along(one.window.end, period), scale.up(one.high or 0.0)) for one in run]
        lower = [(along(one.window.end, period), scale.up(one.low or 0.0)) for one in reversed(run)]
        bands.append(f"{_through([*upper, *lower])}Z")
    if bands:
        shapes.append(tag("path", d="".join(bands), class_=f"band {line.style}"))
    if strokes:
        shapes.append(tag("path", d="".join(strokes), class_=f"line {line.style}"))
    if bad:
        shapes.append(tag("path", d="".join(f"M{x} {y}h0" for x, y in bad), class_=f"bad-dots {line.style}"))
    return shapes


def _runs(points: Sequence[Measurement], told: Callable[[Measurement], bool]) -> Iterator[list[Measurement]]:
    """Stretches without a gap: where nothing could be said, no line pretends that there was."""
    run: list[Measurement] = []
    for one in points:
        if told(one):
            run.append(one)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _through(places: Sequence[tuple[int, int]]) -> str:
    (x, y), *others = places
    return f"M{x} {y}L" + " ".join(f"{x} {y}" for x, y in others)


def _hovers(lines: Sequence[Line], period: Window, say: Say) -> list[Child]:
    """Boxes that are not seen, and say the figures under the pointer."""
    ends = sorted({one.window.end for line in lines for one in line.points if one.value is not None})
    if not ends:
        return []
    every = -(-len(ends) // _MOST_HOVERS)
    by_end: dict[datetime, list[tuple[str, Measurement]]] = {}
    for line in lines:
        for one in line.points:
            if one.value is not None:
                by_end.setdefault(one.window.end, []).append((line.style, one))
    chosen = sorted({*ends[::-1][::every]})
    places = [along(end, period) for end in chosen]
    boxes = []
    for number, (end, place) in enumerate(zip(chosen, places, strict=True)):
        left = 0 if number == 0 else (places[number - 1] + place) // 2
        right = UNITS if number == len(places) - 1 else (place + places[number + 1]) // 2
        words = "; ".join(_hover_words(one, say) for _, one in by_end[end])
        boxes.append(
            tag(
                "rect",
                tag("title", f"{when(end)}: {words}"),
                x=left,
                y=0,
                width=max(1, right - left),
                height=UNITS,
            )
        )
    return [tag("g", boxes, class_="hover")]


def _hover_words(one: Measurement, say: Say) -> str:
    guess = "estimate " if one.estimated else ""
    release = f"release {one.release}, " if one.release is not None else ""
    return f"{guess}{interval(say, one.value, one.low, one.high)} ({release}{counted(one.rows, 'row')})"


def legend(*entries: tuple[str, str]) -> Html:
    """What the shapes stand for: their style and the words."""
    return tag(
        "p",
        [joined(tag("span", tag("i", class_=f"key {style}"), word)) for style, word in entries],
        class_="legend",
    )
