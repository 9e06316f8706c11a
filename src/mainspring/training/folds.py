"""How the training part is cut to score a trial: never a look at the holdout."""

from __future__ import annotations

import itertools
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
    y: NDArray[Any], task: Task, *, seed: int, time: NDArray[np.int64] | None = None, count: int | None = None
) -> Sequence[Fold]:
    """The folds of n training rows.

    With a time column each fold is fitted on what came before the rows that it is scored on; else the rows are
    dealt at random, each class evenly. One fold means that a fifth of the rows is scored once.

    Args:
        y: [n], class numbers where the task is a classification.
        time: [n].
        count: how many; by the number of rows where not given.
    """
    count = number_of_folds(len(y)) if count is None else count
    if time is not None:
        forward = _forward(time, count)
        if forward:
            return forward
    return _dealt(y, task, seed, count)


def _forward(time: NDArray[np.int64], count: int) -> list[Fold]:
    """The newer half in `count` blocks of equal rows (one: the newest fifth); rows of one time stay together."""
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    first = 0.8 if count == 1 else 0.5
    edges = [round(len(time) * (first + (1 - first) * block / count)) for block in range(count + 1)]
    places = [int(np.searchsorted(ordered, ordered[edge], "left")) for edge in edges[:-1]] + [len(time)]
    return [
        (np.sort(order[:start]), np.sort(order[start:end]))
        for start, end in itertools.pairwise(places)
        if 0 < start < end
    ]


def _dealt(y: NDArray[Any], task: Task, seed: int, count: int) -> list[Fold]:
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(y))
    if task.is_classification:
        shuffled = shuffled[np.argsort(y[shuffled], kind="stable")]
    parts = 5 if count == 1 else min(count, len(y))
    part = np.empty(len(y), dtype=np.int64)
    part[shuffled] = np.arange(len(y)) % parts  # dealt like cards, class after class
    return [(np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(count)]
