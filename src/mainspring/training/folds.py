"""How the training part is cut to score a trial: never a look at the holdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.task import Task

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]  # the rows to fit on, the rows to score on

_FEW = 10_000
_MANY = 150_000


def number_of_folds(rows: int) -> int:
    """More folds where rows are few, since a score's noise falls with the rows scored.

    Examples:
        >>> number_of_folds(1_000), number_of_folds(30_000), number_of_folds(1_000_000)
        (5, 3, 1)
    """
    if rows <= _FEW:
        return 5
    return 3 if rows <= _MANY else 1


def make_folds(
    y: NDArray[Any],
    task: Task,
    *,
    seed: int,
    time: NDArray[np.int64] | None = None,
    held_out: float = 0.2,
    count: int | None = None,
) -> Sequence[Fold]:
    """The folds of n training rows.

    Without a time column the rows are dealt at random, each class evenly. One fold means that a fifth of the rows
    is scored once.

    With one, each fold repeats what the holdout will ask: it is fitted on all that came before some moment, its
    origin, and scored on the rows after it, as large a share of them as the holdout is of all rows. How far ahead
    a model must hold decides which one is best: where the world changes, one that does well on the next few days
    need not do so for months. The newest fold ends with the newest row and comes first, since it resembles the
    holdout most. The origins of the others lie evenly from there back to the middle of the rows, so that each is
    fitted on half of the rows at least, and no single period decides; what they are scored on may overlap. That
    is the holdout repeated from several origins (Tashman, International Journal of Forecasting 16, 2000, 437-450),
    of the ways to estimate a loss the most accurate on series that change (Cerqueira, Torgo and Mozetič, Machine
    Learning 109, 2020, 1997-2028).

    Args:
        y: [n], class numbers where the task is a classification.
        time: [n].
        held_out: the holdout's share of all rows, between 0 and 1; without a time column it does not matter.
        count: how many; by the number of rows where not given. With a time column there are fewer where equal
            times, or a holdout of half of the rows and more, leave fewer that differ.

    Examples:
        >>> hours = np.arange(10)
        >>> for fit_on, score_on in make_folds(hours, Task.REGRESSION, seed=0, time=hours, held_out=0.3, count=3):
        ...     print(len(fit_on), score_on)
        7 [7 8 9]
        6 [6 7 8]
        5 [5 6 7]
    """
    count = number_of_folds(len(y)) if count is None else count
    if time is not None:
        forward = _forward(time, held_out, count)
        if forward:
            return forward
    return _dealt(y, task, seed, count)


def _forward(time: NDArray[np.int64], share: float, count: int) -> list[Fold]:
    """The newest first; rows of one time stay together."""
    order = np.argsort(time, kind="stable")
    ordered, n = time[order], len(time)

    def place(part: float) -> int:
        row = round(n * part)
        return n if row >= n else int(np.searchsorted(ordered, ordered[row], "left"))

    newest = 1 - share
    origins = np.linspace(newest, min(0.5, newest), count)
    cuts = dict.fromkeys((place(origin), place(origin + share)) for origin in origins)
    return [(np.sort(order[:start]), np.sort(order[start:end])) for start, end in cuts if 0 < start < end]


def _dealt(y: NDArray[Any], task: Task, seed: int, count: int) -> list[Fold]:
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(y))
    if task.is_classification:
        shuffled = shuffled[np.argsort(y[shuffled], kind="stable")]
    parts = 5 if count == 1 else min(count, len(y))
    part = np.empty(len(y), dtype=np.int64)
    part[shuffled] = np.arange(len(y)) % parts  # dealt like cards, class after class
    return [(np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(count)]
