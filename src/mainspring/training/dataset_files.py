"""Training data on disk, for the processes that fit: read with NumPy and pandas alone, without pickle.

The processes fork, and neither Polars nor Arrow may have started their threads before that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task
from mainspring.stores.atomic import naming_a_full_disk, write_atomic

if TYPE_CHECKING:
    import pandas as pd

    from mainspring.training.dataset import TrainingData


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """The rows that may be learnt from, and what to know about them.

    Attributes:
        held_out: the share of all rows that the holdout is.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    classes: tuple[str, ...]
    positive: int | None
    task: Task
    time: NDArray[np.int64] | None
    held_out: float


def save_training_data(data: TrainingData, folder: Path) -> None:
    """Write the training part, and the holdout's features without its target, into the folder.

    Raises:
        DiskFull: there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learnt = ~data.holdout
    save_frame(data.training_features, folder / "training")
    save_frame(data.holdout_features, folder / "holdout")
    _save_array(folder / "target.npy", data.y[learnt])
    if data.time is not None:
        _save_array(folder / "time.npy", data.time[learnt])
    about = {
        "classes": list(data.classes),
        "positive": data.positive,
        "task": str(data.task),
        "time": data.time is not None,
        "held_out": float(data.holdout.mean()),
    }
    # Written last: its presence says that the rest is whole.
    write_atomic(folder / "about.json", json.dumps(about).encode(), role="the training data")


def load_training_part(folder: Path) -> TrainingPart:
    """Read back what `save_training_data` wrote, without the holdout."""
    about = json.loads((folder / "about.json").read_bytes())
    return TrainingPart(
        X=load_frame(folder / "training"),
        y=np.load(folder / "target.npy", allow_pickle=False),
        classes=tuple(about["classes"]),
        positive=about["positive"],
        task=Task(about["task"]),
        time=np.load(folder / "time.npy", allow_pickle=False) if about["time"] else None,
        held_out=about["held_out"],
    )


def save_frame(frame: pd.DataFrame, folder: Path) -> None:
    """Write a frame: numbers as one float64 matrix, texts as codes of their distinct values."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, list[str]] = {}
    numbers, codes = [], []
    for name in frame.columns:
        column = frame[name].to_numpy()
        if column.dtype == object:
            encoded, texts[name] = _encode(column)
            codes.append(encoded)
        else:
            numbers.append(column.astype(np.float64, copy=False))
    _save_array(folder / "numbers.npy", np.array(numbers, dtype=np.float64).reshape(len(numbers), len(frame)))
    _save_array(folder / "codes.npy", np.array(codes, dtype=np.int32).reshape(len(codes), len(frame)))
    about = {"columns": list(frame.columns), "texts": texts}
    write_atomic(folder / "columns.json", json.dumps(about).encode(), role="the training data")


def load_frame(folder: Path) -> pd.DataFrame:
    """Read back what `save_frame` wrote: the same columns, the same dtypes, the same values."""
    import pandas as pd

    about = json.loads((folder / "columns.json").read_bytes())
    numbers = iter(np.load(folder / "numbers.npy", allow_pickle=False))
    codes = np.load(folder / "codes.npy", allow_pickle=False)
    rows, encoded = codes.shape[1], iter(codes)
    columns = {}
    for name in about["columns"]:
        if name in about["texts"]:
            values = np.array([*about["texts"][name], np.nan], dtype=object)
            # Code -1, a missing value, picks the last one. The dtype is stated, else pandas makes its own of it.
            columns[name] = pd.Series(values[next(encoded)], dtype=object)
        else:
            columns[name] = pd.Series(next(numbers), dtype=np.float64)
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def _encode(column: NDArray[Any]) -> tuple[NDArray[np.int32], list[str]]:
    index: dict[str, int] = {}
    codes = [index.setdefault(value, len(index)) if isinstance(value, str) else -1 for value in column]
    return np.array(codes, dtype=np.int32), list(index)


def _save_array(path: Path, array: NDArray[Any]) -> None:
    with naming_a_full_disk("the training data"):
        np.save(path, array, allow_pickle=False)
