"""How much worse the model gets when one feature is shuffled: permutation importance (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.task import METRICS, Task
from mainspring.training.metrics import Floats, measure

if TYPE_CHECKING:
    import pandas as pd

_REPEATS = 5
_MOST_ROWS = 5_000
_FEWEST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Importance:
    """Of one feature: the loss of the metric when it is shuffled, its mean and spread over the repeats."""

    feature: str
    loss: float
    spread: float


def permutation_importance(
    predict: Callable[[pd.DataFrame], Floats],
    X: pd.DataFrame,
    y: NDArray[Any],
    *,
    metric: str,
    task: Task,
    positive: int | None = None,
    seed: int = 0,
    seconds: float = 5.0,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Importance, ...]:
    """The features by falling importance.

    Args:
        predict: answers [n, k] for a frame of n rows.
        X, y: the holdout; of more than 5,000 rows as many are drawn.
        metric: whose loss is measured; positive means worse when shuffled.
        seconds: about how long it may take; where the model is slow, fewer rows are looked at.
    """
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(y))[:_MOST_ROWS])
    started = clock.monotonic()
    base_outputs = predict(X.iloc[rows].reset_index(drop=True))
    needed = (clock.monotonic() - started) * _REPEATS * X.shape[1]
    if needed > seconds and rows.size > _FEWEST_ROWS:
        kept = max(_FEWEST_ROWS, int(rows.size * seconds / needed))
        places = np.sort(random.permutation(rows.size)[:kept])
        rows, base_outputs = rows[places], base_outputs[places]
    sample, truth = X.iloc[rows].reset_index(drop=True), y[rows]
    base = measure(metric, base_outputs, truth, task=task, positive=positive)
    found = []
    for name in X.columns:
        losses = _losses(predict, sample, truth, str(name), random, base, metric, task, positive)
        found.append(Importance(str(name), float(np.mean(losses)), float(np.std(losses))))
    return tuple(sorted(found, key=lambda one: -one.loss))


def _losses(
    predict: Callable[[pd.DataFrame], Floats],
    sample: pd.DataFrame,
    y: NDArray[Any],
    name: str,
    random: np.random.Generator,
    base: float,
    metric: str,
    task: Task,
    positive: int | None,
) -> list[float]:
    """All repeats in one call, since a call costs more than its rows."""
    import pandas as pd

    values = sample[name].to_numpy()
    shuffled = np.concatenate([random.permutation(values) for _ in range(_REPEATS)])
    stacked = pd.concat([sample] * _REPEATS, ignore_index=True)
    stacked[name] = pd.Series(shuffled, dtype=values.dtype)
    outputs = predict(stacked)
    gain = METRICS[metric].gain
    return [
        gain(base, measure(metric, part, y, task=task, positive=positive)) for part in np.split(outputs, _REPEATS)
    ]
