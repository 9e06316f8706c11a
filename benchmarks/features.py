"""What feature views take, beside Feast: `make benchmark-features`.

    features.py [--rows N] [--events N] [--rounds N] [--only history online scale] [--quick]

Each task of each side runs in a process of its own; what the sides answer is compared. `--quick` shows in two
minutes that everything works and that both give the same values; it and `--only` write their figures below build/.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from environments import Environment, environment
from features_agreement import history_agreement, online_agreement
from features_data import VIEWS, make_project
from harness import RESULTS, ROOT, Report, interleaved, say
from mainspring.testing.redis import redis_server
from processes import run

US, REDIS, FEAST, DUCKDB = "mainspring", "mainspring, Redis", "Feast", "Feast, DuckDB"
_PARTS = ("history", "online", "scale")
_READINGS = 2  # rounds of reading for each round of filling
_OURS = Path(__file__).parent / "features_ours.py"
_PEER = Path(__file__).parent / "peers" / "feast_features.py"
_REQUIREMENTS = ("feast[duckdb]==0.67.0",)

Figures = dict[str, float]


def ours(task: str, folder: Path, variables: Mapping[str, str] | None = None, *further: str) -> Figures:
    return _figures([sys.executable, str(_OURS), task, *further], task, folder, variables)


def feast(peer: Environment, task: str, store: str, folder: Path, *further: str) -> Figures:
    return _figures([peer.python, str(_PEER), task, store, *further], task, folder)


def history(report: Report, folder: Path, peer: Environment, rounds: int, events: int) -> None:
    sides: dict[str, Callable[[], Figures]] = {
        US: lambda: ours("history", folder),
        FEAST: lambda: feast(peer, "history", "dask", folder),
        DUCKDB: lambda: feast(peer, "history", "duckdb", folder),
    }
    found = interleaved(sides, rounds)
    _merge(report, found)
    seconds, memory = "history: seconds", "history: peak MB"
    us = found[US]
    report.check("history: rows returned", us["history: rows"], float(events), "equals")
    for name, bar in ((FEAST, 15.0), (DUCKDB, 5.0)):
        times = found[name][seconds] / us[seconds]
        report.check(f"history: times as fast as {name}", round(times, 1), bar, "at_least")
        share = us[memory] / found[name][memory]
        report.check(f"history: share of the memory of {name}", round(share, 3), 0.5, "at_most")
    mine, theirs = folder / "ours.parquet", folder / "theirs.parquet"
    ours("history-values", folder, None, mine.name)
    for name, store in ((FEAST, "dask"), (DUCKDB, "duckdb")):
        say(f"the values of {name}")
        feast(peer, "history-values", store, folder, theirs.name)
        same = history_agreement(folder, mine, theirs)
        report.figures[f"history: values beside those of {name}"] = same
        report.check(f"history: values other than those of {name}", same["other values"], 0, "equals")


def online(report: Report, folder: Path, peer: Environment, rounds: int) -> None:
    """Materialised in each round anew, then read, in more rounds, since these are short."""
    with redis_server() as server:
        redis = {"MAINSPRING_FEATURES_URL": server.url}

        def in_sqlite() -> Figures:
            for file in (folder / ".mainspring").glob("features.db*"):
                file.unlink()
            return ours("materialize", folder)

        def in_redis() -> Figures:
            server.flush()
            return ours("materialize", folder, redis)

        def in_feast() -> Figures:
            (folder / "feast-dask" / "online.db").unlink(missing_ok=True)
            return feast(peer, "materialize", "dask", folder)

        filled = interleaved({US: in_sqlite, REDIS: in_redis, FEAST: in_feast}, rounds)
        reading: dict[str, Callable[[], Figures]] = {
            US: lambda: ours("online", folder),
            REDIS: lambda: ours("online", folder, redis),
            FEAST: lambda: feast(peer, "online", "dask", folder),
        }
        found = interleaved(reading, _READINGS * rounds)
        mine, theirs = folder / "ours.parquet", folder / "theirs.parquet"
        feast(peer, "online-values", "dask", folder, theirs.name)
        for where, variables in (("SQLite", None), ("Redis", redis)):
            ours("online-values", folder, variables, mine.name)
            same = online_agreement(mine, theirs)
            report.figures[f"online: values from {where} beside those of Feast"] = same
            report.check(f"online: values from {where} other than Feast's", same["other values"], 0, "equals")
    _merge(report, filled)
    _merge(report, found)
    us, them = found[US], found[FEAST]
    for what in ("one key", "100 keys"):
        times = them[f"{what}: p50 ms"] / us[f"{what}: p50 ms"]
        report.check(f"online, {what}: times as fast as Feast", round(times, 1), 20.0, "at_least")
    for name, where in ((US, "SQLite"), (REDIS, "Redis")):
        report.check(f"online, one key from {where}: p99 ms", found[name]["one key: p99 ms"], 1.0, "at_most")
    times = filled[FEAST]["materialise: seconds"] / filled[US]["materialise: seconds"]
    report.check("materialise: times as fast as Feast", round(times, 1), 20.0, "at_least")


def scale(report: Report, folder: Path, rows: int, events: int, rounds: int) -> None:
    """The same events joined to ten times as many rows."""
    large = folder.with_name("large")
    make_project(large, rows * 10, events)
    ours("snapshot", large)
    names = {f"{rows:,} rows a view": folder, f"{rows * 10:,} rows a view": large}
    found = interleaved({name: _joined(place) for name, place in names.items()}, rounds)
    few, many = found.values()
    report.figures["history as rows grow"] = found
    times = many["history: seconds"] / few["history: seconds"]
    report.check("history of ten times the rows: times as long", round(times, 1), 12.0, "at_most")
    report.check("history of ten times the rows: peak MB", many["history: peak MB"], 1_200.0, "at_most")
    report.check("history of ten times the rows: rows returned", many["history: rows"], float(events), "equals")
    shutil.rmtree(large)


def _joined(folder: Path) -> Callable[[], Figures]:
    return lambda: ours("history", folder)


def _figures(command: list[str], task: str, folder: Path, variables: Mapping[str, str] | None = None) -> Figures:
    done = run(command, folder, variables)
    figures: Figures = json.loads(done.output.strip().splitlines()[-1])  # Feast prints its progress before
    if task == "online":
        return figures
    return figures | {f"{'materialise' if task == 'materialize' else task}: peak MB": done.memory.rss}


def _merge(report: Report, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Figures of another part of the same sides stand beside those that are there."""
    for name, figures in found.items():
        before = report.figures.get(name, {"rounds": []})
        rounds = [*before["rounds"], *figures["rounds"]]
        report.figures[name] = {**before, **figures, "rounds": rounds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="of each view")
    parser.add_argument("--events", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.events, arguments.rounds = 100_000, 10_000, 1
    report = Report("features")
    with tempfile.TemporaryDirectory(prefix="features-") as place:
        folder = Path(place) / "project"
        say(f"{VIEWS} views of {arguments.rows:,} rows, {arguments.events:,} events")
        make_project(folder, arguments.rows, arguments.events)
        report.figures["snapshots of the sources, once"] = ours("snapshot", folder)
        if "scale" in arguments.only:
            scale(report, folder, arguments.rows, arguments.events, arguments.rounds)
        if {"history", "online"} & set(arguments.only):
            peer = environment("feast", _REQUIREMENTS, with_model=False)
            report.figures["versions of Feast"] = peer.versions
        if "history" in arguments.only:
            history(report, folder, peer, arguments.rounds, arguments.events)
        if "online" in arguments.only:
            online(report, folder, peer, arguments.rounds)
    partial = arguments.quick or set(arguments.only) != set(_PARTS)
    holds = report.write(ROOT / "build" / "benchmarks" if partial else RESULTS)
    return 0 if holds or arguments.quick else 1  # the bars are for the whole size


if __name__ == "__main__":
    sys.exit(main())
