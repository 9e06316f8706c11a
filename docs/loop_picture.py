"""Draws docs/loop.svg, the picture of the loop in the README: `python docs/loop_picture.py`."""

import math
from pathlib import Path

WIDTH, HEIGHT = 980, 430
BOX_WIDTH, BOX_HEIGHT = 140, 74
INK, QUIET = "#1f2a37", "#5b6878"
BRASS, BRASS_PALE = "#b7791f", "#fdf6e7"
FONT = "font-family=\"'Inter','Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif\""

# (name, what it says below), clockwise from the top left
STATIONS = [
    ("snapshot", "rows, read for ever"),
    ("training", "trials, tracked"),
    ("gates", "verdict by evidence"),
    ("release", "sealed and signed"),
    ("gateway", "answers requests"),
    ("rollout", "shadow → canary"),
    ("prediction log", "every answer kept"),
    ("labels", "the truth, later"),
    ("monitors", "drift, performance"),
    ("retraining", "by trigger"),
]


def centres() -> list[tuple[float, float]]:
    """Four stations along the top, one at the right, four along the bottom, one at the left."""
    columns = [226, 402, 578, 754]
    top, middle, bottom = 62, HEIGHT / 2, HEIGHT - 62
    row = [(float(x), float(top)) for x in columns]
    back = [(float(x), float(bottom)) for x in reversed(columns)]
    return [*row, (WIDTH - 86.0, middle), *back, (86.0, middle)]


def station(name: str, below: str, x: float, y: float) -> str:
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    look = f'fill="#ffffff" stroke="{BRASS}" stroke-width="1.8"'
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="12" {look}/>'
        f'<text x="{x:g}" y="{y - 3:g}" text-anchor="middle" font-size="16" font-weight="600" fill="{INK}">'
        f"{name}</text>"
        f'<text x="{x:g}" y="{y + 17:g}" text-anchor="middle" font-size="12" fill="{QUIET}">{below}</text>'
    )


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """From the edge of one box to the edge of the next: straight along a row, a quarter turn at a corner."""
    (x0, y0), (x1, y1) = start, end
    half_width, half_height, gap = BOX_WIDTH / 2, BOX_HEIGHT / 2, 2
    if y0 == y1:
        way = math.copysign(1, x1 - x0)
        path = f"M{x0 + way * half_width:g} {y0:g} H{x1 - way * (half_width + gap):g}"
    elif abs(x1 - WIDTH / 2) > abs(x0 - WIDTH / 2):  # out of a row, into a side
        way, down = math.copysign(1, x1 - x0), math.copysign(1, y1 - y0)
        path = f"M{x0 + way * half_width:g} {y0:g} Q{x1:g} {y0:g} {x1:g} {y1 - down * (half_height + gap):g}"
    else:  # out of a side, into a row
        way, down = math.copysign(1, x1 - x0), math.copysign(1, y1 - y0)
        path = f"M{x0:g} {y0 + down * half_height:g} Q{x0:g} {y1:g} {x1 - way * (half_width + gap):g} {y1:g}"
    return f'<path d="{path}" fill="none" stroke="{BRASS}" stroke-width="2" marker-end="url(#tip)"/>'


def spring(x: float, y: float, turns: float = 4.25, inner: float = 5, outer: float = 46) -> str:
    """The spiral of a watch's mainspring, as cubic pieces of an eighth of a turn each."""
    steps = int(turns * 8)

    def at(step: float) -> tuple[float, float]:
        share, angle = step / steps, step / 8 * 2 * math.pi
        radius = inner + (outer - inner) * share
        return x + radius * math.cos(angle), y + radius * math.sin(angle)

    points = [at(step) for step in range(steps + 1)]
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for step in range(steps):
        # A quadratic piece through the point half way: its control lies twice as far out as that point.
        (x0, y0), (xm, ym), (x1, y1) = points[step], at(step + 0.5), points[step + 1]
        path += f" Q{2 * xm - (x0 + x1) / 2:.1f} {2 * ym - (y0 + y1) / 2:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{path}" fill="none" stroke="{BRASS}" stroke-width="3.2" stroke-linecap="round"/>'


def picture() -> str:
    places = centres()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label="The loop: snapshot, training, gates, release, gateway, and back" {FONT}>',
        "<defs>",
        '<marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7"'
        f' orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="{BRASS}"/></marker>',
        "</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="18" fill="{BRASS_PALE}"/>',
    ]
    parts += [arrow(place, places[(index + 1) % len(places)]) for index, place in enumerate(places)]
    parts += [station(*what, *place) for what, place in zip(STATIONS, places, strict=True)]
    x, y = WIDTH / 2, HEIGHT / 2
    parts.append(spring(x - 148, y))
    parts.append(
        f'<text x="{x - 78:g}" y="{y + 1:g}" font-size="34" font-weight="700" fill="{INK}">mainspring</text>'
        f'<text x="{x - 76:g}" y="{y + 25:g}" font-size="14" fill="{QUIET}">'
        "from a CSV to a live, proven model</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("loop.svg").write_text(picture(), encoding="utf-8")
