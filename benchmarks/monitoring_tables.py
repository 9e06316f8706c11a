"""Two tables of 40 numeric and 10 categorical columns, compared by `monitor compare` and by Evidently."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from environments import environment
from harness import interleaved
from processes import MAINSPRING, run

US, EVIDENTLY = "mainspring", "Evidently"
NUMBERS, CATEGORIES = 40, 10
_PEER = Path(__file__).parent / "peers" / "evidently_report.py"
_REQUIREMENTS = ("evidently==0.7.23", "pandas<3", "pyarrow")


def write_table(path: Path, rows: int, seed: int) -> None:
    """Made-up rows; two seeds give two samples of the same law."""
    random = np.random.default_rng(seed)
    columns: dict[str, pl.Series] = {}
    for place in range(NUMBERS):
        draw = random.normal if place % 2 else random.lognormal
        columns[f"number_{place}"] = pl.Series(draw(size=rows))
    for place in range(CATEGORIES):
        names = pl.Series([f"value {code}" for code in range(4 + 4 * place)])
        columns[f"category_{place}"] = names.gather(random.integers(0, len(names), rows))
    pl.DataFrame(columns).write_parquet(path)


def compared(folder: Path, rows: int, rounds: int) -> dict[str, object]:
    """Seconds, peak memory and size of the page of both, in turn.

    Raises:
        NoEnvironment: the peer cannot be had here.
    """
    peer = environment("evidently", _REQUIREMENTS, with_model=False)
    first, second, page = f"a-{rows}.parquet", f"b-{rows}.parquet", "page.html"
    write_table(folder / first, rows, 1)
    write_table(folder / second, rows, 2)
    commands = {
        US: [MAINSPRING, "monitor", "compare", first, second, "--html", page],
        EVIDENTLY: [peer.python, str(_PEER), first, second, page],
    }

    def side(command: list[str]) -> Callable[[], dict[str, float]]:
        def measure() -> dict[str, float]:
            (folder / page).unlink(missing_ok=True)
            done = run(command, folder)
            figures = {"seconds": done.seconds, "rows": float(rows), "peak_rss_mb": done.memory.rss}
            return figures | {"page_mb": (folder / page).stat().st_size / 1e6}

        return measure

    figures = interleaved({name: side(command) for name, command in commands.items()}, rounds)
    return figures | {"versions": peer.versions}
