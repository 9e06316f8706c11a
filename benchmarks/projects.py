"""What a benchmark does with a project, all of it through the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from processes import mainspring

BUDGET = "120s"


def released(
    folder: Path, data: Path, target: str, *options: str, seed: int = 0, **changes: str
) -> dict[str, Any]:
    """`init` and `run` in an empty folder: what `run` answered. `changes` are further arguments of the Model."""
    mainspring("init", ".", "--data", str(data), "--target", target, *options, folder=folder)
    declare(folder / "model.py", seed=str(seed), **changes)
    return dict(mainspring("run", "--budget", BUDGET, folder=folder).document)


def declare(file: Path, **changes: str) -> None:
    """Set arguments of the Model in the `model.py` that `init` wrote."""
    text = file.read_text(encoding="utf-8")
    head, call, rest = text.partition("= Model(\n")
    if not call:
        raise ValueError(f"{file.name} declares no Model(…) over several lines")
    lines = [f"    {name}={value}," for name, value in changes.items()]
    first, newline, others = rest.partition("\n")
    kept = [line for line in others.split("\n") if not line.startswith(tuple(f"    {name}=" for name in changes))]
    file.write_text(head + call + first + newline + "\n".join([*lines, *kept]), encoding="utf-8")


def scored(folder: Path, model: str, rows: Path) -> pl.DataFrame:
    """The answers of the champion for a file of rows, in the file's order."""
    mainspring("score", model, "--input", str(rows), "--output", "scored.parquet", folder=folder)
    return pl.read_parquet(folder / "scored.parquet")


def probability(answers: pl.DataFrame, label: str) -> np.ndarray:
    """The column that holds the probability of a class."""
    return answers[f"probability_{label}"].to_numpy()
