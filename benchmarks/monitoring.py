"""What monitoring takes, beside Evidently: `make benchmark-monitoring`.

    monitoring.py [--rows N …] [--hour-rows N …] [--rounds N] [--only tables hours gateway] [--quick]

`--quick` shows in a few minutes that everything works; it and `--only` write their figures below build/.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import RESULTS, ROOT, Report, say
from monitoring_tables import EVIDENTLY, US, compared

_PARTS = ("tables", "hours", "gateway")


def tables(report: Report, folder: Path, sizes: list[int], rounds: int) -> None:
    """The largest size is what the bars are about; each has its figures."""
    for rows in sorted(sizes):
        say(f"comparing tables of {rows:,} rows")
        found = compared(folder, rows, rounds)
        report.figures[f"{rows:,} rows"] = found
    us: dict[str, Any] = found[US]  # type: ignore[assignment]
    them: dict[str, Any] = found[EVIDENTLY]  # type: ignore[assignment]
    report.figures |= {US: us, EVIDENTLY: them}
    what = f"monitor compare, {max(sizes):,} rows"
    times, share = them["seconds"] / us["seconds"], us["peak_rss_mb"] / them["peak_rss_mb"]
    report.check(f"{what}: times as fast as Evidently", round(times, 1), 50.0, "at_least")
    report.check(f"{what}: share of Evidently's memory", round(share, 3), 0.25, "at_most")
    report.check(f"{what}: size of the page, MB", round(us["page_mb"], 3), 2.0, "at_most")


def hours(report: Report, folder: Path, sizes: list[int]) -> None:
    """A small log and a large one: what an hour takes must not depend on the log."""
    from monitoring_hours import added_hour

    for rows in sorted(sizes):
        say(f"a week of {rows:,} rows an hour")
        found = added_hour(folder, rows)
        report.figures[f"a week of {rows:,} rows an hour"] = found
        what = f"seconds to add an hour to a week of {found['rows of the log']:,.0f} rows"
        report.check(what, found["seconds to add an hour"], 1.0, "at_most")


def gateway(report: Report, folder: Path, rounds: int, *, quick: bool) -> None:
    from monitoring_gateway import beside

    found = beside(folder, rounds, quick=quick)
    report.figures["the gateway beside a watching process"] = found
    ratio = found["watched: times the CPU ms of a request"]
    report.check("monitors: times the gateway's CPU of a request", ratio, 1.03, "at_most")
    report.check("monitors: failed requests", found["failed"], 0, "equals")
    taken = found["the watching process: rows that it took in meanwhile"]
    report.check("monitors: rows taken in while the gateway was measured", taken, 1, "at_least")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--hour-rows", type=int, nargs="+", default=[500, 20_000])
    parser.add_argument("--rounds", type=int, default=3, help="of the gateway; tables are compared in one")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--project",
        type=Path,
        default=ROOT / "build" / "benchmark-monitoring",
        help="where the demo's model is kept",
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.hour_rows, arguments.rounds = [10_000], [100], 1
    report = Report("monitoring")
    with tempfile.TemporaryDirectory(prefix="monitoring-") as place:
        if "tables" in arguments.only:
            tables(report, Path(place), arguments.rows, 1)
        if "hours" in arguments.only:
            hours(report, Path(place), arguments.hour_rows)
    if "gateway" in arguments.only:
        arguments.project.mkdir(parents=True, exist_ok=True)
        gateway(report, arguments.project, arguments.rounds, quick=arguments.quick)
    partial = arguments.quick or set(arguments.only) != set(_PARTS)
    return 0 if report.write(ROOT / "build" / "benchmarks" if partial else RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
