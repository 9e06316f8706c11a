"""Requests a second of the gateway and of its peers, all serving the same model: `make benchmark-serving`.

Each server runs on one core and wrk on the other, in interleaved rounds, each server started anew in each round;
only ratios within a round are compared, because a shared machine's speed drifts. Before anything is measured, all
servers answer the same rows, and their probabilities are compared with the original estimator's.

    serving.py [--quick] [--rounds N] [--only NAME …] [--project DIR]

`--quick` shows in a few minutes that everything works; it and `--only` write their figures below build/.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import cloudpickle
import numpy as np
import polars as pl

import serving_traffic
from environments import Environment, NoEnvironment
from harness import RESULTS, ROOT, Report, medians, say
from mainspring.data.estimator_frame import estimator_frame_of_columns
from mainspring.errors import MainspringError
from mainspring.release.manifest import decode_manifest
from processes import mainspring
from score import train, unseal, write_rows
from servers import NoAnswer
from serving_peers import ALL, BEST, ECHO, FAST, FASTAPI, MODEL, OURS, short
from serving_rounds import CASES, MANY, MANY_16, ONE_16, Arena
from wrk import LoadFailed

_ROWS = 6_400
_SLOW_ROUNDS = 2
_LOOSE, _EXACT = 1e-5, 1e-9  # above the first, the model is another; the second is what double precision keeps
_TRAFFIC, _SWAPS = "shadows", "swaps"


def prepare(folder: Path) -> Path:
    """The demo's project with two releases of its model, and rows for requests."""
    project = folder / "project"
    if not (project / "rows.parquet").exists():
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        say("training the demo's model")
        agency = train(project)
        unseal(project)
        say("training it once more, for the swaps")
        mainspring("run", "--trials", "9", folder=project)
        write_rows(project / "rows.parquet", agency, _ROWS)
    return project


def arena_of(folder: Path, *, quick: bool) -> Arena:
    """The model's files and the requests."""
    project, files = prepare(folder), folder / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    # All measure the first release.
    mainspring("promote", f"{MODEL}@1", folder=project)
    shutil.copy(project / "plain.pkl", files / "model.pkl")
    shutil.copy(project / ".mainspring" / "releases" / MODEL / "1" / "model.onnx", files)
    names = json.loads((project / "features.json").read_text(encoding="utf-8"))
    rows = pl.read_parquet(project / "rows.parquet").select(names).to_dicts()
    return Arena(project, files, rows, quick)


def original(arena: Arena) -> np.ndarray:
    """The original estimator's probability of a click for each row."""
    content = (arena.project / ".mainspring" / "releases" / MODEL / "1" / "manifest.json").read_bytes()
    inputs = decode_manifest(content).inputs
    columns = {field.name: [row[field.name] for row in arena.rows] for field in inputs}
    estimator = cloudpickle.loads((arena.files / "model.pkl").read_bytes())
    return np.asarray(estimator.predict_proba(estimator_frame_of_columns(columns, inputs))[:, 1])


class Match:
    """The servers that take part.

    Args:
        names: of those that are asked for.
    """

    def __init__(self, arena: Arena, names: Sequence[str]) -> None:
        self._arena = arena
        self.environments: dict[str, Environment | None] = {}
        self.skipped: dict[str, str] = {}
        self.differences: dict[str, float] = {}
        expected = original(arena)
        for name in names:
            say(f"comparing the answers: {name}")
            peer = ALL[name]
            try:
                made = peer.make(short(name), arena.files)
                with arena.running(peer, made) as server:
                    difference = arena.difference(peer, server, expected)
                    if name == OURS:
                        arena.keep_answers(peer, server)
            except (NoEnvironment, NoAnswer, OSError) as error:
                self._skip(name, error)
                continue
            if difference > _LOOSE:
                self._skip(name, ValueError(f"its probabilities differ by up to {difference:g}"))
                continue
            self.environments[name] = made
            if peer.probabilities is not None:
                self.differences[name] = difference

    def round(self, number: int) -> dict[str, dict[str, float]]:
        """One round; every other one in the reverse order. Those that are slower by far take part in two."""
        seen: dict[str, dict[str, float]] = {}
        names = [name for name in self.environments if name in FAST or number < _SLOW_ROUNDS]
        for name in names if number % 2 == 0 else reversed(names):
            say(f"round {number + 1}: {name}")
            try:
                seen[name] = self._arena.measure(ALL[name], self.environments[name])
            except (NoAnswer, LoadFailed) as error:
                self._skip(name, error)
        for name in self.skipped:
            self.environments.pop(name, None)
        return seen

    def versions(self) -> dict[str, dict[str, str]]:
        return {name: made.versions for name, made in self.environments.items() if made is not None}

    def _skip(self, name: str, error: Exception) -> None:
        self.skipped[name] = str(error)
        say(f"{name} is left out: {error}")


def measure(report: Report, match: Match, rounds: int) -> None:
    """The rounds, and what follows from them."""
    seen = [match.round(number) for number in range(rounds)]
    whole = list(match.environments)
    by_server = {name: [one[name] for one in seen if name in one] for name in whole}
    report.figures["servers"] = {name: {**medians(these), "rounds": these} for name, these in by_server.items()}
    report.figures["versions of the peers"] = match.versions()
    report.figures["greatest difference of a probability"] = match.differences
    if OURS not in whole:
        return

    def ratio(name: str, key: str) -> float:
        return round(median(one[OURS][key] / one[name][key] for one in seen if name in one), 3)

    report.figures["times the peer's"] = {
        name: {case.name: ratio(name, f"{case.name}: requests/s") for case in CASES}
        for name in whole
        if name != OURS
    }
    _check_speed(report, whole, ratio)
    ours = report.figures["servers"][OURS]
    p99 = median(one[OURS][f"{ONE_16}: p99 ms"] / one[OURS][f"{ONE_16}: p50 ms"] for one in seen)
    report.check(f"serving, {ONE_16}: p99 over p50", round(p99, 2), 4.0, "at_most")
    report.check(
        "serving: memory of the process that answers, peak, MB", round(ours["worker MB"], 1), 120.0, "at_most"
    )
    report.check("serving: seconds from start to first answer", round(ours["first answer s"], 2), 1.0, "at_most")
    if BEST in whole:
        # The same bar, beside the 0.7 s of the best case on the machine for which it was set.
        times = ratio(BEST, "first answer s")
        report.check("serving: times the best case's seconds from start to first answer", times, 1.43, "at_most")
    failed = sum(one[name]["failed"] for one in seen for name in one if ALL[name].ours)
    report.check("serving: requests that failed", failed, 0, "equals")


def _check_speed(report: Report, whole: Sequence[str], ratio: Any) -> None:
    requests, rows = f"{ONE_16}: requests/s", f"{MANY_16}: rows/s"
    if BEST in whole:
        report.check(
            f"serving, {ONE_16}: times the best case written by hand", ratio(BEST, requests), 1.0, "at_least"
        )
        report.check(f"serving, {MANY} rows: times the best case's rows/s", ratio(BEST, rows), 1.0, "at_least")
    batching = [name for name in whole if ALL[name].batching]
    if batching:
        best = min(batching, key=lambda name: ratio(name, requests))
        what = f"serving, {ONE_16}: times the best batching peer ({best})"
        report.check(what, ratio(best, requests), 12.0, "at_least")
    if FASTAPI in whole:
        report.check(f"serving, {ONE_16}: times FastAPI + pandas", ratio(FASTAPI, requests), 40.0, "at_least")


def check_answers(report: Report, match: Match) -> None:
    """All compute in double; a peer that did not would show its difference here."""
    if match.differences:
        what = "serving: greatest difference of a probability from the original's, all servers"
        report.check(what, max(match.differences.values()), _EXACT, "at_most")


def check_shadows(report: Report, found: dict[str, Any]) -> None:
    report.figures[_TRAFFIC] = found
    kept = found["a tenth: share of throughput kept"]
    report.check("serving: throughput kept with a shadow for a tenth", kept, 0.9, "at_least")
    cpu = found["all: times the CPU ms of a request"]
    report.check("serving: times the CPU of a request with a shadow for all", cpu, 2.0, "at_most")
    p99 = found["all: times the p99"]
    report.check("serving: times the p99 with a shadow for all, at half the capacity", p99, 2.0, "at_most")
    report.check("serving: requests that failed beside a shadow", found["failed"], 0, "equals")


def check_swaps(report: Report, found: dict[str, Any]) -> None:
    report.figures[_SWAPS] = found
    changes = found["promotions"] + found["rollbacks"]
    done = found["taken over by all workers"]
    report.check(f"serving: of {changes} swaps under load, taken over by all workers", done, changes, "equals")
    report.check("serving: requests that failed during the swaps", found["failed"], 0, "equals")
    within, outside = found["p99 ms in seconds with a swap"], found["p99 ms in the other seconds"]
    times = round(within / outside, 3)
    report.check("serving: p99 in seconds with a swap over that in the others", times, 2.0, "at_most")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parts = [*ALL, _TRAFFIC, _SWAPS]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=parts, help=f"of {', '.join(parts)}")
    parser.add_argument("--project", type=Path, help="the folder in which the trained project is kept and found")
    arguments = parser.parse_args()
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        sys.exit("the servers and the load need a core each, and the system to be Linux")
    wanted = arguments.only or parts
    rounds = 1 if arguments.quick else arguments.rounds
    report = Report("serving")
    with ExitStack() as stack:
        kept = arguments.project
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serving-")))
        arena = arena_of(folder.absolute(), quick=arguments.quick)
        names = [name for name in ALL if name in wanted]
        if ECHO in names and OURS not in names:
            names.insert(0, OURS)  # whose answers it echoes
        skipped: dict[str, str] = {}
        if names:
            match = Match(arena, names)
            measure(report, match, rounds)
            check_answers(report, match)
            skipped |= match.skipped
        counts = (8, 2) if arguments.quick else (200, 50)
        for part, run in (
            (_TRAFFIC, lambda: check_shadows(report, serving_traffic.shadows(arena, rounds))),
            (_SWAPS, lambda: check_swaps(report, serving_traffic.swaps(arena, *counts))),
        ):
            if part in wanted:
                try:
                    run()
                except (NoAnswer, LoadFailed, MainspringError, RuntimeError) as error:  # keep the figures so far
                    skipped[part] = str(error)
                    say(f"{part} could not be measured: {error}")
    report.figures["skipped"] = skipped
    report.check("serving: what could not be measured", sorted(skipped), [], "equals")
    _print(report)
    partly = arguments.quick or arguments.only
    return 0 if report.write(ROOT / "build" / "benchmark-serving" if partly else RESULTS) else 1


def _print(report: Report) -> None:
    servers = report.figures.get("servers", {})
    print(f"{'':22}" + "".join(f"{case.name:>26}" for case in CASES) + f"{'MB':>8}{'tree':>8}{'start':>8}")
    for name, seen in servers.items():
        cells = [
            f"{seen[f'{case.name}: requests/s']:,.0f}/s {seen[f'{case.name}: CPU ms']:.3f} ms" for case in CASES
        ]
        ends = f"{seen['worker MB']:8.0f}{seen['tree MB']:8.0f}{seen['first answer s']:8.2f}"
        print(f"{name:22}" + "".join(f"{cell:>26}" for cell in cells) + ends)
    for name in (_TRAFFIC, _SWAPS):
        for key, value in report.figures.get(name, {}).items():
            if not isinstance(value, list):
                print(f"{name}: {key}: {value}")


if __name__ == "__main__":
    sys.exit(main())
