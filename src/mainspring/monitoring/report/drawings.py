"""Pictures of columns, of states over time and of rows per hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.monitoring.report.picture import Bar, FeaturePicture
from mainspring.monitoring.report.plots import framed, stretched
from mainspring.monitoring.report.scale import UNITS, Scale, along, scale_of
from mainspring.monitoring.report.series import Series
from mainspring.monitoring.report.tags import Html, joined, tag
from mainspring.monitoring.report.words import Say, counted, share, when

Volume = tuple[datetime, int]
_MOST_BARS = 168


def distribution(picture: FeaturePicture) -> Html:
    """The column over the reference (grey) and over the window (colour)."""
    if not picture.bars:
        return tag("p", picture.note or "nothing to draw", class_="none")
    return _ranges(picture) if picture.ranges else _values(picture.bars)


def _ranges(picture: FeaturePicture) -> Html:
    most = max(max(bar.reference, bar.window) for bar in picture.bars)
    scale = Scale(0.0, most * 1.05 or 1.0)
    hovers = [
        tag(
            "rect",
            tag("title", f"{bar.label}: {share(bar.window)}, was {share(bar.reference)}"),
            x=round(bar.left * UNITS),
            y=0,
            width=round((bar.right - bar.left) * UNITS),
            height=UNITS,
        )
        for bar in picture.bars
    ]
    before = _steps(picture.bars, [bar.reference for bar in picture.bars], scale)
    now = _steps(picture.bars, [bar.window for bar in picture.bars], scale)
    drawing = stretched(
        tag("path", d=f"{before}Z", class_="was"),
        tag("path", d=f"{now}Z", class_="is"),
        tag("path", d=now, class_="line now thin"),
        tag("g", hovers, class_="hover"),
    )
    label = f"{len(picture.bars)} ranges; the share of each over the reference and over the window"
    return tag(
        "div",
        tag("div", drawing, class_="area"),
        tag("div", tag("span", picture.ends[0]), tag("span", picture.ends[1]), class_="ends"),
        class_="shape",
        role="img",
        aria_label=label,
    )


def _steps(bars: Sequence[Bar], shares: Sequence[float], scale: Scale) -> str:
    steps = "".join(
        f"V{scale.up(value)}H{round(bar.right * UNITS)}" for bar, value in zip(bars, shares, strict=True)
    )
    return f"M{round(bars[0].left * UNITS)} {UNITS}{steps}V{UNITS}"


def _values(bars: Sequence[Bar]) -> Html:
    most = max(max(bar.reference, bar.window) for bar in bars) or 1.0
    rows = [
        tag(
            "tr",
            tag("th", bar.label, tag("b", "new", class_="new") if bar.unseen else None, scope="row"),
            tag(
                "td",
                tag("i", class_="was", style=f"width:{100 * bar.reference / most:.1f}%"),
                tag("i", class_="is", style=f"width:{100 * bar.window / most:.1f}%"),
                class_="pair",
            ),
            tag("td", share(bar.reference), class_="number soft"),
            tag("td", share(bar.window), class_="number"),
        )
        for bar in bars
    ]
    heads = [tag("th", word, scope="col", class_=style) for word, style in _VALUE_HEADS]
    return tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="values")


_VALUE_HEADS = (("value", None), ("", None), ("reference", "number"), ("window", "number"))


def spark(points: Sequence[Measurement]) -> Html:
    """The effect over time without words, beside a row of a table."""
    told = [one for one in points if one.value is not None][-40:]
    if len(told) < 2:
        return Html("")
    scale = scale_of([number for one in told for number in (one.value, one.bar)], from_zero=True)
    # The last points only: places are told by their order.
    places = [(round(UNITS * n / (len(told) - 1)), scale.up(one.value or 0.0)) for n, one in enumerate(told)]
    bar = told[-1].bar
    return stretched(
        tag("path", d=f"M0 {scale.up(bar)}H{UNITS}", class_="bar") if bar is not None else None,
        tag("path", d="M" + " ".join(f"{x} {y}" for x, y in places), class_="line now thin"),
        class_="spark",
    )


def forest(
    rows: Sequence[tuple[str, Measurement]], say: Say, *, beside: Sequence[tuple[str, Measurement]]
) -> Html:
    """A value with its interval for each of several slices, below one another, and the bar through all.

    Args:
        beside: all rows of the same scale, these among them.
    """
    numbers = [n for _, one in beside for n in (one.value, one.low, one.high, one.bar)]
    scale = scale_of(numbers)

    def place(value: float) -> float:
        return 100 - scale.up(value) / UNITS * 100

    made = []
    for name, one in rows:
        marks = []
        if one.bar is not None:
            marks.append(tag("i", class_="bar", style=f"left:{place(one.bar):.1f}%"))
        if one.low is not None and one.high is not None:
            left, right = place(one.low), place(one.high)
            marks.append(tag("i", class_="whisker", style=f"left:{left:.1f}%;width:{right - left:.1f}%"))
        if one.value is not None:
            marks.append(tag("i", class_="dot", style=f"left:{place(one.value):.1f}%"))
        made.append(
            tag(
                "tr",
                tag("th", name, scope="row"),
                tag("td", tag("div", marks), class_="marks"),
                tag("td", say(one.value), class_="number"),
                tag("td", counted(one.rows, "row"), class_="number soft"),
                tag("td", pill(one.state), class_="state"),
                class_=str(one.state),
            )
        )
    return tag("table", tag("tbody", made), class_="forest")


_WORDS = {State.BAD: "bad", State.FINE: "fine", State.UNKNOWN: "not enough to say"}
_SIGNS = {State.BAD: "✕", State.FINE: "✓", State.UNKNOWN: "?"}


def two_sides(heads: tuple[str, str], rows: Sequence[tuple[str, str, str]]) -> Html:
    """A table of facts: what each is called, what it was, and what it is."""
    named = [tag("th", word, scope="col", class_="number") for word in heads]
    body = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            tag("td", was, class_="number soft"),
            tag("td", is_now, class_="number"),
        )
        for name, was, is_now in rows
    ]
    return tag("table", tag("thead", tag("tr", tag("td"), named)), tag("tbody", body), class_="sides")


def pill(state: State, word: str | None = None) -> Html:
    """A state as a sign and a word: never by its colour alone."""
    return tag(
        "span", tag("span", _SIGNS[state], aria_hidden="true"), f" {word or _WORDS[state]}", class_=f"pill {state}"
    )


def lanes(monitors: Sequence[tuple[str, Sequence[Series]]], period: Window) -> Html:
    """A row for each monitor: when something of it was bad, fine, or could not be said."""
    rows = []
    for name, series in monitors:
        stretches = _stretches(series, period)
        drawing = [
            tag(
                "rect",
                tag("title", f"{_WORDS[state]} from {when(start)} to {when(end)}"),
                x=along(start, period),
                width=max(2, along(end, period) - along(start, period)),
                y={State.BAD: 100, State.FINE: 420, State.UNKNOWN: 470}[state],
                height={State.BAD: 800, State.FINE: 160, State.UNKNOWN: 60}[state],
                class_=str(state),
            )
            for start, end, state in stretches
        ]
        bad = [f"{when(start)} to {when(end)}" for start, end, state in stretches if state is State.BAD]
        told = f"{name}: bad {', '.join(bad[:5])}" if bad else f"{name}: never bad"
        rows.append(
            tag(
                "div",
                tag("span", name, class_="name"),
                tag("div", stretched(*drawing), class_="lane", role="img", aria_label=told),
                class_="row",
            )
        )
    return joined(rows)


def _stretches(series: Sequence[Series], period: Window) -> list[tuple[datetime, datetime, State]]:
    """The worst state at each time; a window's verdict counts from the window before it."""
    cells = 168
    worst: list[State | None] = [None] * cells
    rank = {None: 0, State.UNKNOWN: 1, State.FINE: 2, State.BAD: 3}
    for one in series:
        before = period.start
        for point in one.points:
            start = max(before, point.window.start, period.start)
            first = along(start, period) * cells // UNITS
            last = max(first + 1, -(-along(point.window.end, period) * cells // UNITS))
            for cell in range(first, min(last, cells)):
                if rank[point.state] > rank[worst[cell]]:
                    worst[cell] = point.state
            before = point.window.end
    step = period.length / cells
    found: list[tuple[datetime, datetime, State]] = []
    for cell, state in enumerate(worst):
        if state is None:
            continue
        start = period.start + cell * step
        if found and found[-1][2] is state and abs(found[-1][1] - start) < step / 2:
            found[-1] = (found[-1][0], start + step, state)
        else:
            found.append((start, start + step, state))
    return found


def volume_bars(volume: Sequence[Volume], period: Window) -> Html:
    """Rows per hour; per several hours where there are many."""
    hours = max(1, round(period.length / timedelta(hours=1)))
    each = -(-hours // _MOST_BARS)
    sums: dict[int, int] = {}
    for hour, rows in volume:
        place = int((hour - period.start) / timedelta(hours=1)) // each
        sums[place] = sums.get(place, 0) + rows
    scale = scale_of([float(rows) for rows in sums.values()], from_zero=True)
    shapes, hovers = [], []
    for place, rows in sorted(sums.items()):
        start = period.start + timedelta(hours=place * each)
        left, right = along(start, period), along(start + timedelta(hours=each), period)
        top = scale.up(float(rows))
        shapes.append(f"M{left} {UNITS}V{top}H{max(left + 1, right - 1)}V{UNITS}Z")
        title = tag("title", f"{when(start)}: {counted(rows, 'row')}")
        hovers.append(tag("rect", title, x=left, y=0, width=max(1, right - left), height=UNITS))
    drawing = stretched(tag("path", d="".join(shapes), class_="is solid"), tag("g", hovers, class_="hover"))
    ticks = [(scale.up(tick) / UNITS, f"{tick:,.0f}") for tick in scale.ticks(3) if tick == int(tick)]
    unit = "hour" if each == 1 else f"{each} hours"
    label = f"rows per {unit}, from {min(sums.values()):,} to {max(sums.values()):,}"
    return framed(drawing, period=period, label=label, ticks=ticks)
