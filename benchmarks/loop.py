"""What retraining by the loop brings and costs on streams that change: `make benchmark-loop`.

    loop.py [--only STREAM …] [--rows N] [--processes N] [--no-forest]

Each stream is replayed in the order of time, a label being known 500 rows later, through the simulation: the very
code that runs in production, at its defaults. Beside it: no training at all, trainings by a schedule (a plain fit
of the same classifier, with a sliding and a growing window), and a forest that learns row by row. With `--only`,
`--rows` or `--no-forest` the figures are written below build/. A run that was broken off goes on with the streams
that are left, as long as the sources are the same.
"""

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import RESULTS, ROOT, Report, data_folder, say
from loop_forest import NAME as FOREST
from loop_forest import adaptive_forest
from loop_projects import ROWS_FILE, START, stream_project
from loop_streams import Stream, streams
from mainspring.domain.budget import Budget
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.outcome import Course, Simulated
from mainspring.loop.simulation.picture import Line, picture
from mainspring.loop.simulation.simulate import NEVER, OURS, SimulationPlan, Turn, schedules_of, simulate

DELAY = 500  # rows
ROWS_AN_HOUR = 100.0
_SCHEDULES = (1_000, 2_500, 5_000)  # rows
_PICTURES = ROOT / "docs" / "loop"
_POINTS = 50  # of a picture's line
_AFTER, _SHOWN, _FINAL = (
    2_000,
    1_000,
    2_500,
)  # rows: after a change, over which accuracy is taken, and a segment's end


def measured(name: str, rows: int | None, with_forest: bool) -> dict[str, Any]:
    """One stream: its figures, and its picture under `picture`."""
    stream = streams(data_folder())[name]()
    if rows is not None:
        stream = Stream(stream.name, stream.rows.head(rows), stream.changes, stream.steady, stream.is_held)
    with tempfile.TemporaryDirectory(prefix="loop-") as place:
        project = stream_project(stream, Path(place))
        plan = SimulationPlan(
            files=(str(Path(place) / ROWS_FILE),),
            start=START,
            delay=LabelDelay(rows=DELAY),
            rows_an_hour=ROWS_AN_HOUR,
            schedules=schedules_of([LabelDelay(rows=every) for every in _SCHEDULES], START),
            budget=Budget(trials=1),
            metric="accuracy",
        )
        found = simulate(project, plan, told=_Telling(name))
    right = {course.name: course.outputs.argmax(axis=1) == found.truth for course in found.courses}
    figures = _figures(stream, found, right)
    if with_forest:
        say(f"{name}: {FOREST}")
        right[FOREST], figures["courses"][FOREST] = adaptive_forest(stream, start=START, delay=DELAY)
    return {**figures, "picture": _picture(stream, found, right)}


def _figures(stream: Stream, found: Simulated, right: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    ours = right[OURS]
    return {
        "rows": len(found.truth),
        "courses": {course.name: _course(course, right[course.name]) for course in found.courses},
        "trainings": [
            {"row": one.row, "kind": one.kind, "reason": one.reason, "window": one.window, "state": one.state}
            for one in found.trainings
        ],
        "trainings for drift": sum(one.kind in ("drift", "performance") for one in found.trainings),
        "changes of champion": len(found.changes),
        "harmful": [one.row for one in found.changes if one.was_harmful],
        "short of the segment's end, after each change": [
            _short(ours, change - START, end - START)
            for change, end in pairwise((*stream.changes, stream.rows.height))
            if change < end <= stream.rows.height
        ],
        "processor seconds of the whole loop": round(found.seconds, 1),
    }


def _course(course: Course, right: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "accuracy": round(float(right.mean()), 4),
        "trainings": course.trainings,
        "seconds": round(course.seconds, 1),
    }


def _short(right: NDArray[np.bool_], change: int, end: int) -> float:
    """How much less accurate than at the segment's end the rows are that come 2,000 after the change."""
    after = right[change + _AFTER : change + _AFTER + _SHOWN].mean()
    return round(float(right[end - _FINAL : end].mean() - after), 4)


def _picture(stream: Stream, found: Simulated, right: dict[str, NDArray[np.bool_]]) -> str:
    """Ours, none, the best schedule and the forest."""
    best = max(_schedules_of(right), key=lambda name: right[name].mean())
    shown = [name for name in (OURS, NEVER, best, FOREST) if name in right]
    edges = np.linspace(0, len(found.truth), _POINTS + 1).astype(int)
    lines = [
        Line(
            name,
            [(START + int(b), float(right[name][a:b].mean())) for a, b in pairwise(edges)],
        )
        for name in shown
    ]
    trained = [one.row for one in found.trainings]
    title = f"{stream.name}: accuracy of {len(found.truth):,} answers, labels {DELAY} rows later"
    return str(picture(title, lines, trainings=trained, changes=stream.changes, what="accuracy"))


def _schedules_of(courses: Any) -> list[str]:
    return [name for name in courses if name not in (OURS, NEVER, FOREST)]


def judge(report: Report) -> None:
    for name, make in streams(data_folder()).items():
        if name not in report.figures:
            continue
        found, stream = report.figures[name], make()
        courses: dict[str, dict[str, float]] = found["courses"]
        ours = courses[OURS]
        best = max(_schedules_of(courses), key=lambda one: courses[one]["accuracy"])
        if stream.is_held:
            bar = round(courses[best]["accuracy"] - 0.005, 4)
            report.check(f"{name}: accuracy, beside the best schedule ({best})", ours["accuracy"], bar, "at_least")
            report.check(f"{name}: trainings", ours["trainings"], courses[best]["trainings"] // 3, "at_most")
        if stream.steady:
            report.check(f"{name}: trainings for drift", found["trainings for drift"], 0, "equals")
        if name == "elec2":
            as_few = [
                courses[one] for one in _schedules_of(courses) if courses[one]["trainings"] <= ours["trainings"]
            ]
            bar = round(max(one["accuracy"] for one in [*as_few, courses[NEVER]]) - 0.002, 4)
            report.check(
                f"{name}: accuracy, beside schedules of no more trainings", ours["accuracy"], bar, "at_least"
            )
        report.check(f"{name}: harmful changes of champion", len(found["harmful"]), 0, "equals")
        for change, short in zip(
            stream.changes, found["short of the segment's end, after each change"], strict=False
        ):
            what = f"{name}: accuracy lost against the segment's end, {_AFTER:,} rows after row {change:,}"
            report.check(what, short, 0.02, "at_most")


class _Kept:
    """The figures by stream of a run of the same sources that may have been broken off.

    Args:
        asked: what the run was asked for, of which figures depend.
    """

    def __init__(self, asked: str) -> None:
        digest = sha256(asked.encode())
        for source in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").glob("loop*.py")]):
            digest.update(source.read_bytes())
        self._place = ROOT / "build" / "loop" / f"kept-{digest.hexdigest()[:16]}.json"
        self.figures: dict[str, Any] = json.loads(self._place.read_text()) if self._place.exists() else {}

    def add(self, name: str, figures: dict[str, Any]) -> None:
        self.figures[name] = figures
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._place.write_text(json.dumps(self.figures))


class _Telling:
    """A line on standard error for each training, and now and then one for how far it is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = 0
        self._said = 0

    def __call__(self, turn: Turn) -> None:
        trainings = turn.log.trainings
        if len(trainings) > self._told or turn.rows >= self._said:
            self._told, self._said = len(trainings), turn.rows + 5_000
            newest = f"; the newest at row {trainings[-1].row:,}: {trainings[-1].reason}" if trainings else ""
            say(f"{self._name}: {turn.rows:,} of {turn.of:,} rows, {len(trainings)} trainings{newest}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = list(streams(data_folder()))
    parser.add_argument("--only", nargs="+", choices=known, default=[])
    parser.add_argument("--rows", type=int, help="of each stream, the first ones only")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-forest", action="store_true")
    arguments = parser.parse_args()
    report = Report("loop")
    is_whole = not (arguments.only or arguments.rows or arguments.no_forest)
    pictures = _PICTURES if is_whole else ROOT / "build" / "loop"
    pictures.mkdir(parents=True, exist_ok=True)
    kept = _Kept(f"{arguments.rows}-{arguments.no_forest}")
    os.environ["OMP_NUM_THREADS"] = "1"  # inherited by the processes: two streams share two cores
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        names = arguments.only or known
        left = [name for name in names if name not in kept.figures]
        asked = {pool.submit(measured, name, arguments.rows, not arguments.no_forest): name for name in left}
        for one in as_completed(asked):
            kept.add(asked[one], one.result())
        for name in names:
            figures = kept.figures[name]
            (pictures / f"{name}.svg").write_text(figures.pop("picture") + "\n", encoding="utf-8")
            report.figures[name] = figures
    judge(report)
    return 0 if report.write(RESULTS if is_whole else ROOT / "build") else 1


if __name__ == "__main__":
    sys.exit(main())
