"""A metric along a stream, one line a course, as a drawing (SVG) that stands alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.monitoring.report.scale import UNITS, Scale, scale_of
from mainspring.monitoring.report.tags import Html, tag

_WIDTH, _HEIGHT = 900, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 34, 64
# Of Okabe and Ito: told apart also by those who do not see all colours; the first line is the one that matters.
_COLOURS = ("#0072b2", "#8c8c8c", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SIGN, _LETTER = 22, 6.2  # the width of a sign in the legend with its room, and of a letter


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right: the row and the value; what is no number leaves a gap."""

    name: str
    points: Sequence[tuple[int, float]]


def picture(
    title: str,
    lines: Sequence[Line],
    *,
    trainings: Sequence[int] = (),
    changes: Sequence[int] = (),
    what: str = "",
) -> Html:
    """Draw the lines.

    Args:
        trainings: the rows at which the first line's model was trained again, as ticks below.
        changes: the rows at which the law of the stream changed, as broken uprights.
        what: the metric, beside the upright axis.
    """
    rows = [row for line in lines for row, _ in line.points] or [0, 1]
    scale = scale_of([value for line in lines for _, value in line.points])
    across = Scale(float(min(rows)), float(max(max(rows), min(rows) + 1)))
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width=_WIDTH, height=_HEIGHT, fill="#ffffff"),
        tag("text", title, x=_LEFT, y=18, font_size=14, font_weight="bold"),
        _axes(scale, across, what),
        [_upright(_x(row, across)) for row in changes],
        [_drawn(line, number, scale, across) for number, line in reversed(list(enumerate(lines)))],
        [_tick(_x(row, across)) for row in trainings],
        _legend(lines, bool(trainings), bool(changes)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        font_family="system-ui, sans-serif",
        font_size=11,
        fill="#222222",
        role="img",
    )


def _x(row: float, across: Scale) -> float:
    share = (row - across.low) / (across.high - across.low)
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, scale: Scale) -> float:
    return round(_TOP + scale.up(value) / UNITS * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(scale: Scale, across: Scale, what: str) -> list[Html]:
    bottom = _HEIGHT - _BOTTOM
    shapes = [tag("text", what, x=4, y=_TOP - 6, fill="#555555")]
    for value in scale.ticks(5):
        place = _y(value, scale)
        shapes.append(tag("path", d=f"M{_LEFT} {place}H{_WIDTH - _RIGHT}", stroke="#e2e2e2"))
        shapes.append(tag("text", f"{value:g}", x=_LEFT - 6, y=place + 4, text_anchor="end", fill="#555555"))
    for row in across.ticks(8):
        place = _x(row, across)
        shapes.append(tag("text", f"{row:,.0f}", x=place, y=bottom + 26, text_anchor="middle", fill="#555555"))
    shapes.append(tag("path", d=f"M{_LEFT} {bottom}H{_WIDTH - _RIGHT}", stroke="#999999"))
    return shapes


def _upright(x: float) -> Html:
    return tag("path", d=f"M{x} {_TOP}V{_HEIGHT - _BOTTOM}", stroke="#777777", stroke_dasharray="4 4")


def _tick(x: float) -> Html:
    foot = _HEIGHT - _BOTTOM
    return tag("path", d=f"M{x} {foot}v10", stroke=_COLOURS[0], stroke_width=2)


def _drawn(line: Line, number: int, scale: Scale, across: Scale) -> Html:
    strokes: list[str] = []
    is_open = False
    for row, value in line.points:
        if not math.isfinite(value):
            is_open = False
            continue
        strokes.append(f"{'L' if is_open else 'M'}{_x(row, across)} {_y(value, scale)}")
        is_open = True
    return tag(
        "path",
        tag("title", line.name),
        d=" ".join(strokes),
        fill="none",
        stroke=_colour(number),
        stroke_width=2.4 if number == 0 else 1.3,
    )


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


@dataclass(frozen=True, slots=True)
class _Sign:
    """What a colour or a stroke stands for.

    Attributes:
        stroke: its path, from a place at the foot of the words.
    """

    word: str
    stroke: str
    colour: str
    dashes: str | None = None

    @property
    def width(self) -> float:
        return _SIGN + _LETTER * len(self.word) + 14


def _legend(lines: Sequence[Line], with_trainings: bool, with_changes: bool) -> list[Html]:
    signs = [_Sign(line.name, "m0 -4h16", _colour(number)) for number, line in enumerate(lines)]
    if with_trainings:
        signs.append(_Sign("trained again", "m8 -9v10", _COLOURS[0]))
    if with_changes:
        signs.append(_Sign("the law changes", "m8 -12v14", "#777777", "4 4"))
    shapes: list[Html] = []
    x, y = float(_LEFT), _HEIGHT - 20.0
    for sign in signs:
        if x > _LEFT and x + sign.width > _WIDTH - _RIGHT:
            x, y = float(_LEFT), y + 15
        place = f"M{x:.0f} {y:.0f}{sign.stroke}"
        shapes.append(tag("path", d=place, stroke=sign.colour, stroke_width=2.4, stroke_dasharray=sign.dashes))
        shapes.append(tag("text", sign.word, x=round(x + _SIGN), y=round(y)))
        x += sign.width
    return shapes
