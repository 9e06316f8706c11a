"""River's adaptive random forest, which learns row by row as the labels come: what ours is measured beside."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loop_streams import Stream

NAME = "adaptive random forest"


def adaptive_forest(stream: Stream, *, start: int, delay: int) -> tuple[NDArray[np.bool_], dict[str, float]]:
    """Whether each answer from `start` on was right, and what it cost.

    Args:
        delay: a row's label is known when so many rows have come after it.
    """
    from river.forest import ARFClassifier

    names = stream.rows.columns[:-1]
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in stream.features.tolist()]
    truth = stream.truth.astype(bool).tolist()
    forest = ARFClassifier(seed=1)
    began = time.process_time()
    for row in range(start):
        forest.learn_one(rows[row], truth[row])
    right = []
    for row in range(start, len(rows)):
        right.append(bool(forest.predict_one(rows[row])) == truth[row])
        if row - delay >= start:
            forest.learn_one(rows[row - delay], truth[row - delay])
    seconds = time.process_time() - began
    return np.array(right), {"accuracy": round(float(np.mean(right)), 4), "seconds": round(seconds, 1)}
