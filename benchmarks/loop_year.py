"""A year of a model that serves 1,000 predictions a minute, thinned: what it holds must not grow with time.

    loop_year.py [--days N] [--rows-an-hour N]

One hour in its log is as many rows as are given (a thousandth of what would come), every look of the loop is
played, and its law turns round four times a year. What the process holds is taken once a day, in the middle of the
day; the second half of the year is compared with the first. Then each file is made a day older, as it would be:
what nobody needs any more goes by the age of its file.
"""

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from harness import RESULTS, ROOT, Report, say
from loop_projects import ROWS_FILE, START, stream_project
from loop_streams import turning
from mainspring.domain.budget import Budget
from mainspring.loop.simulation.delay import LabelDelay
from mainspring.loop.simulation.simulate import SimulationPlan, Turn, simulate

DAYS, ROWS_AN_HOUR = 365, 60
_TURNS = 4
_LABELS = "1d"


class _Scale:
    """Weighs the process now and then.

    Attributes:
        seen: for each day the resident memory and the workspace's size in bytes, and the open handles.
    """

    def __init__(self, folder: Path, a_day: int) -> None:
        self._folder = folder
        self._a_day = a_day
        self._process = psutil.Process()
        self.seen: list[tuple[int, int, int]] = []

    def __call__(self, turn: Turn) -> None:
        if turn.rows < (len(self.seen) + 0.5) * self._a_day:
            return
        gc.collect()
        disk = sum(place.stat().st_size for place in self._folder.rglob("*") if place.is_file())
        self.seen.append((self._process.memory_info().rss, self._process.num_fds(), disk))
        _age(self._folder)
        if len(self.seen) % 7 == 0:
            memory, handles, disk = self.seen[-1]
            say(
                f"day {len(self.seen)}: {memory / 1e6:,.0f} MB, {handles} handles, {disk / 1e6:,.0f} MB on disk, "
                f"{len(turn.log.trainings)} trainings"
            )


def _age(folder: Path) -> None:
    """Make each file a day older."""
    for place in folder.rglob("*"):
        if place.is_file():
            found = place.stat()
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns - 86_400 * 10**9))


def year(days: int, rows_an_hour: int) -> dict[str, Any]:
    stream = turning(START + days * 24 * rows_an_hour, turns=_TURNS)
    with tempfile.TemporaryDirectory(prefix="loop-year-") as place:
        project_folder, kept = Path(place) / "project", Path(place) / "kept"
        project_folder.mkdir()
        kept.mkdir()
        scale = _Scale(kept, 24 * rows_an_hour)
        plan = SimulationPlan(
            files=(str(project_folder / ROWS_FILE),),
            start=START,
            delay=LabelDelay.parse(_LABELS),
            rows_an_hour=float(rows_an_hour),
            budget=Budget(trials=1),
            metric="accuracy",
        )
        found = simulate(stream_project(stream, project_folder), plan, told=scale, folder=kept)
    memory, handles, disk = (np.array(column, dtype=np.float64) for column in zip(*scale.seen, strict=True))
    right = found.courses[0].outputs.argmax(axis=1) == found.truth
    never = found.courses[1].outputs.argmax(axis=1) == found.truth
    half, quarter = len(memory) // 2, len(memory) // 4
    return {
        "days": len(memory),
        "rows": len(found.truth),
        "accuracy": round(float(right.mean()), 4),
        "accuracy of no training": round(float(never.mean()), 4),
        "trainings": len(found.trainings),
        "MB after a quarter": round(float(np.median(memory[quarter:half])) / 1e6, 1),
        "MB at the end": round(float(np.median(memory[-quarter:])) / 1e6, 1),
        "handles after a quarter": int(np.median(handles[quarter:half])),
        "handles at the end": int(np.median(handles[-quarter:])),
        "MB on disk at the end": round(float(disk[-1]) / 1e6, 1),
        "MB more on disk each day, second quarter": round(_growth(disk[quarter:half]), 3),
        "MB more on disk each day, last quarter": round(_growth(disk[-quarter:]), 3),
        "bytes on disk for each row": round(float((disk[-1] - disk[half]) / (len(found.truth) / 2)), 1),
        "processor ms for each look": round(1000 * found.seconds / max(1, days * 24), 1),
    }


def _growth(disk: NDArray[np.float64]) -> float:
    """MB a day, by least squares: what is merged and dropped makes single days say little."""
    return float(np.polyfit(np.arange(len(disk)), disk / 1e6, 1)[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--rows-an-hour", type=int, default=ROWS_AN_HOUR)
    arguments = parser.parse_args()
    report = Report("loop_year")
    found = report.figures["year"] = year(arguments.days, arguments.rows_an_hour)
    growth = found["MB at the end"] / found["MB after a quarter"]
    report.check("a year: times the memory of its first quarter", round(growth, 3), 1.15, "at_most")
    grown = found["handles at the end"] - found["handles after a quarter"]
    report.check("a year: handles more than after a quarter", grown, 5, "at_most")
    disk = found["MB more on disk each day, last quarter"] / found["MB more on disk each day, second quarter"]
    report.check(
        "a year: times what the disk grows by in a day of its second quarter", round(disk, 3), 1.15, "at_most"
    )
    whole = (arguments.days, arguments.rows_an_hour) == (DAYS, ROWS_AN_HOUR)
    return 0 if report.write(RESULTS if whole else ROOT / "build") else 1


if __name__ == "__main__":
    sys.exit(main())
