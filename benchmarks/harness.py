"""What the benchmarks share: the report that each writes, and the machine and versions that stand in it."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
_LIBRARIES = (
    "lightgbm",
    "mlflow",
    "numpy",
    "onnxruntime",
    "optuna",
    "pandas",
    "polars",
    "scikit-learn",
    "uvicorn",
)

Sense = Literal["at_least", "at_most", "equals"]


@dataclass
class Report:
    """The figures of one benchmark and the bars that its figures are held against.

    Examples:
        >>> report = Report("toy")
        >>> report.check("speed-up", 6.0, 5.0, "at_least")
        True
        >>> report.checks
        [{'name': 'speed-up', 'value': 6.0, 'bar': 5.0, 'sense': 'at_least', 'holds': True}]
    """

    name: str
    figures: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def check(self, name: str, value: Any, bar: Any, sense: Sense) -> bool:
        """Hold a figure against its bar, and say so."""
        holds = {"at_least": lambda: value >= bar, "at_most": lambda: value <= bar, "equals": lambda: value == bar}
        # A value that is not a number (NaN) is on no side of any bar.
        entry = {"name": name, "value": value, "bar": bar, "sense": sense, "holds": bool(holds[sense]())}
        self.checks.append(entry)
        return bool(entry["holds"])

    def write(self, folder: Path = RESULTS) -> bool:
        """Write `NAME.json` and print the checks; whether all of them hold."""
        document = {
            "benchmark": self.name,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "figures": self.figures,
            "checks": self.checks,
        }
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{self.name}.json"
        place.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        signs = {"at_least": "≥", "at_most": "≤", "equals": "="}
        for entry in self.checks:
            mark = "holds" if entry["holds"] else "MISSED"
            print(f"{mark:7} {entry['name']}: {entry['value']} (bar {signs[entry['sense']]} {entry['bar']})")
        print(f"written to {place.relative_to(ROOT) if place.is_relative_to(ROOT) else place}")
        return all(entry["holds"] for entry in self.checks)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "mainspring": metadata.version("mainspring")}
    return found | {name: metadata.version(name) for name in _LIBRARIES}


def interleaved(sides: Mapping[str, Callable[[], dict[str, float]]], rounds: int) -> dict[str, Any]:
    """Run the sides in turn, `rounds` times, so that a slow minute of the machine hits all of them.

    Returns:
        for each side its median figures, and all of them by round under `rounds`.
    """
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, measure in sides.items():
            say(f"round {number + 1} of {rounds}: {name}")
            seen[name].append(measure())
    return {name: {**medians(values), "rounds": values} for name, values in seen.items()}


def medians(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure.

    Examples:
        >>> medians([{"seconds": 1.0}, {"seconds": 9.0}, {"seconds": 2.0}])
        {'seconds': 2.0}
    """
    return {key: round(statistics.median(value[key] for value in values), 4) for key in values[0]}


def say(text: str) -> None:
    """Progress, so that a person sees that something happens."""
    print(f"· {text}", file=sys.stderr, flush=True)


def data_folder() -> Path:
    """The folder of the real data sets."""
    place = os.environ.get("MAINSPRING_TEST_DATA")
    if not place or not Path(place).is_dir():
        sys.exit("set MAINSPRING_TEST_DATA to the folder of the real data sets")
    return Path(place).resolve()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
