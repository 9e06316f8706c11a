"""Puts the results into the README, between its two marks: `python benchmarks/figures.py`."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: written by benchmarks/figures.py -->", "<!-- end of figures -->"
_SIGNS = {"at_least": "≥ ", "at_most": "≤ ", "equals": ""}
# What is shown of two sides measured in the same run: (result, title, [(what, key, unit)]).
_SIDES = [
    (
        "pipeline",
        "From a CSV to the first HTTP answer (adult, the same fixed list of trials on both sides)",
        [
            ("CSV to first answer", "seconds", "s"),
            ("start of the server to first answer", "serve_seconds", "s"),
            ("peak memory", "peak_rss_mb", "MB"),
            ("memory of the server", "server_rss_mb", "MB"),
        ],
    ),
    (
        "score",
        "Scoring a table (the demo's model, the same rows on both sides)",
        [("rows", "rows", ""), ("rows per second", "rows_per_second", ""), ("peak memory", "peak_rss_mb", "MB")],
    ),
    (
        "monitoring",
        "Comparing two tables of 40 numbers and 10 categories",
        [
            ("rows of each", "rows", ""),
            ("time", "seconds", "s"),
            ("peak memory", "peak_rss_mb", "MB"),
            ("size of the page", "page_mb", "MB"),
        ],
    ),
    (
        "features",
        "250,000 events joined to 3 views of 500,000 rows and 30 features; 50,000 entities online",
        [
            ("history", "history: seconds", "s"),
            ("rows returned", "history: rows", ""),
            ("peak memory", "history: peak MB", "MB"),
            ("materialisation", "materialise: seconds", "s"),
            ("one key, p50", "one key: p50 ms", "ms"),
            ("one key, p99", "one key: p99 ms", "ms"),
            ("100 keys, p50", "100 keys: p50 ms", "ms"),
            ("100 keys, p99", "100 keys: p99 ms", "ms"),
        ],
    ),
]
# What is shown of each server of `serving`: (column, key, unit).
_SERVERS = [
    ("one row, requests/s", "one row, 16 connections: requests/s", ""),
    ("p50", "one row, 16 connections: p50 ms", "ms"),
    ("p99", "one row, 16 connections: p99 ms", "ms"),
    ("CPU of a request", "one row, 16 connections: CPU ms", "ms"),
    ("one connection, requests/s", "one row, 1 connection: requests/s", ""),
    ("100 rows, rows/s", "100 rows, 16 connections: rows/s", ""),
    ("memory of the process that answers", "worker MB", "MB"),
    ("of all its processes", "tree MB", "MB"),
    ("start to first answer", "first answer s", "s"),
]

# What is shown of each stream of `loop`: (column, course); the schedules are shown by the best one.
_COURSES = [
    ("the loop at its defaults", "the policies"),
    ("never trained again", "never trained again"),
    ("adaptive random forest, row by row", "adaptive random forest"),
]


def section(folder: Path = RESULTS) -> str:
    """The section's text, made of nothing but the results in the folder."""
    results = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
    parts = [BEGIN, "", "| what | measured | asked for |", "| --- | ---: | ---: |"]
    for result in results.values():
        parts += [_check(check) for check in result["checks"]]
    for name, title, rows in _SIDES:
        if name in results:
            parts += ["", *_side_by_side(title, results[name]["figures"], rows)]
    if "serving" in results:
        parts += ["", *_servers(results["serving"]["figures"])]
    if "loop" in results:
        parts += ["", *_streams(results["loop"]["figures"])]
    places = sorted({_place(result) for result in results.values()})
    parts += ["", *(f"Measured on {place}." for place in places), "", END]
    return "\n".join(parts)


def _check(check: dict[str, Any]) -> str:
    mark = "" if check["holds"] else " (missed)"
    return f"| {check['name']} | {_text(check['value'])}{mark} | {_SIGNS[check['sense']]}{_text(check['bar'])} |"


def _side_by_side(title: str, figures: dict[str, Any], rows: list[tuple[str, str, str]]) -> list[str]:
    sides = [name for name, side in figures.items() if isinstance(side, dict) and "rounds" in side]
    lines = [f"| {title} | {' | '.join(sides)} |", "| --- |" + " ---: |" * len(sides)]
    for what, key, unit in rows:
        # A side need not do all that another one does.
        cells = [f"{_text(figures[side][key])} {unit}".strip() if key in figures[side] else "–" for side in sides]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def _servers(figures: dict[str, Any]) -> list[str]:
    title = "The demo's model, one worker on one core, 16 connections"
    lines = [f"| {title} | {' | '.join(name for name, _, _ in _SERVERS)} |", "| --- |" + " ---: |" * len(_SERVERS)]
    for server, seen in figures.get("servers", {}).items():
        cells = [f"{_text(seen[key])} {unit}".strip() for _, key, unit in _SERVERS]
        lines.append(f"| {server} | {' | '.join(cells)} |")
    return [
        *lines,
        *(f"\n{name} could not be measured: {why}" for name, why in figures.get("skipped", {}).items()),
    ]


def _streams(figures: dict[str, Any]) -> list[str]:
    columns = [*(name for name, _ in _COURSES), "the best schedule"]
    title = "Streams, labels 500 rows later: accuracy (trainings)"
    lines = [f"| {title} | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for stream, found in figures.items():
        courses = found["courses"]
        schedules = [name for name in courses if name.startswith("every ")]
        best = max(schedules, key=lambda name: courses[name]["accuracy"])
        cells = [*(_course(courses[name]) for _, name in _COURSES), f"{_course(courses[best])} {best}"]
        lines.append(f"| {stream} | {' | '.join(cells)} |")
    return lines


def _course(course: dict[str, float]) -> str:
    return f"{course['accuracy']:.4f}" + (f" ({course['trainings']})" if "trainings" in course else "")


def _place(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']:g} GB, "
        f"{machine['system']}, Python {versions['python']}, on {result['measured_at'][:10]}"
    )


def _text(value: Any) -> str:
    """Three digits after the point where a number is small, none where it is large."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 2 else f"{value:.4g}"
    return str(value)


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: section(), text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
