"""What a classifier's metric is to be expected where no label is there: confidence-based estimation (CBPE).

Where a probability is calibrated, a row with p = 0.8 is, on average, 0.8 of a true row and 0.2 of a false one; so
the rows count in these parts, and each metric is computed as ever (NannyML's algorithm). It rests on two things:
the probabilities are calibrated (`fit_isotonic` on rows with labels), and the relation of inputs to the truth is
what it was. A change of that relation alone, pure concept drift, it cannot see: no label, no sight.

The standard error is that of the metric over so many rows drawn anew, rows and labels, by its influence function
(Hampel 1974; for the AUC that is DeLong's 1988): how much one row with one label moves it. It holds the error of
sampling, not that of the calibration.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Found = tuple[float, Floats]  # the metric, and the influence [n, k] on it of each row if its class were k

CALIBRATION_BINS = 10  # as in `training.metrics`
_EPSILON = float(np.finfo(np.float64).eps)


def expected_metric(
    name: str,
    probabilities: Floats,
    *,
    scores: Floats | None = None,
    predicted: NDArray[np.integer] | None = None,
    threshold: float = 0.5,
) -> tuple[float, float]:
    """The expected metric of rows whose truth is not known, and its standard error.

    Args:
        name: a classification metric of `domain.task`; of more than two classes `average_precision` has none.
        probabilities: calibrated: [n] of the positive class, or [n, k] with one column a
            class (of two the second is the positive one). Rows that are not
            finite are left out; [n, k] rows are brought to the sum 1.
        scores: what the model answered, in the same shape: what ranking and losses are computed of. The
            calibrated probabilities where not given.
        predicted: [n] numbers of the classes answered (1 for the positive one); else the scores' greatest, or
            those from the threshold.
        threshold: of the positive class, where `predicted` is not given.

    Returns:
        Both NaN where it is undefined: no rows, or all surely of one class where the metric needs two.

    Raises:
        ValueError: the metric has no estimate, or the shapes differ.

    Examples:
        >>> [round(number, 4) for number in expected_metric("accuracy", np.array([0.9, 0.2, 0.6]))]
        [0.7667, 0.2442]
    """
    known = _METRICS if probabilities.ndim == 1 or probabilities.shape[1] == 2 else _MULTICLASS_METRICS
    if name not in known:
        raise ValueError(f"there is no estimate of {name!r}; there is of {', '.join(sorted(known))}")
    truth, answers = _two_columns(probabilities), _two_columns(probabilities if scores is None else scores)
    if truth.shape != answers.shape:
        raise ValueError(f"{truth.shape} calibrated probabilities but {answers.shape} scores")
    kept = np.isfinite(truth).all(axis=1) & np.isfinite(answers).all(axis=1)
    if predicted is not None:
        answered = np.asarray(predicted)[kept].astype(np.int64)
    elif truth.shape[1] == 2:
        answered = (answers[kept, 1] >= threshold).astype(np.int64)
    else:
        answered = answers[kept].argmax(axis=1)
    truth, answers = truth[kept], answers[kept]
    if not truth.shape[0]:
        return float("nan"), float("nan")
    truth = np.clip(truth, 0.0, 1.0)
    total = truth.sum(axis=1, keepdims=True)
    truth = np.where(total > 0, truth / np.where(total > 0, total, 1.0), 1.0 / truth.shape[1])
    value, influence = known[name](truth, answers, answered)
    spread = float((truth * np.square(influence)).sum())
    return value, float(np.sqrt(spread)) / truth.shape[0]


def _two_columns(probabilities: Floats) -> Floats:
    given = np.asarray(probabilities, dtype=np.float64)
    return np.column_stack([1 - given, given]) if given.ndim == 1 else given


def _mean_of_rows(losses: Floats, truth: Floats) -> _Found:
    value = float((truth * losses).sum() / truth.shape[0])
    return value, losses - value


def _accuracy(truth: Floats, _: Floats, answered: NDArray[np.int64]) -> _Found:
    return _mean_of_rows(_one_hot(answered, truth.shape[1]), truth)


def _log_loss(truth: Floats, scores: Floats, _: NDArray[np.int64]) -> _Found:
    total = scores.sum(axis=1, keepdims=True)
    shares = scores / np.where(total > 0, total, 1.0)
    return _mean_of_rows(-np.log(np.clip(shares, _EPSILON, 1.0)), truth)


def _brier(truth: Floats, scores: Floats, _: NDArray[np.int64]) -> _Found:
    if truth.shape[1] == 2:
        score = scores[:, 1]
        return _mean_of_rows(np.column_stack([np.square(score), np.square(score - 1)]), truth)
    squares = np.square(scores).sum(axis=1, keepdims=True)
    return _mean_of_rows(squares - 2 * scores + 1, truth)


def _balanced_accuracy(truth: Floats, _: Floats, answered: NDArray[np.int64]) -> _Found:
    n, k = truth.shape
    hits, mass = _one_hot(answered, k), truth.sum(axis=0)
    there = mass > 0
    recalls = (truth * hits).sum(axis=0) / np.where(there, mass, 1.0)
    influence = np.where(there, (hits - recalls) * n / np.where(there, mass, 1.0), 0.0) / there.sum()
    return float(recalls[there].mean()), influence


def _f1(truth: Floats, _: Floats, answered: NDArray[np.int64]) -> _Found:
    if truth.shape[1] == 2:
        return _f1_of_class(1, truth, answered)
    claimed = [number for number in range(truth.shape[1]) if (answered == number).any() or truth[:, number].any()]
    return _averaged([_f1_of_class(number, truth, answered) for number in claimed])


def _f1_of_class(number: int, truth: Floats, answered: NDArray[np.int64]) -> _Found:
    n, k = truth.shape
    said = (answered == number).astype(np.float64)
    claims = float(said.sum() + truth[:, number].sum())
    if not claims:
        return 0.0, np.zeros_like(truth)
    value = 2 * float(said @ truth[:, number]) / claims
    influence = np.repeat(-value * said[:, None], k, axis=1)
    influence[:, number] += 2 * said - value
    return value, influence * n / claims


def _roc_auc(truth: Floats, scores: Floats, _: NDArray[np.int64]) -> _Found:
    if truth.shape[1] == 2:
        return _auc_of_class(1, truth, scores[:, 1])
    each = [_auc_of_class(number, truth, scores[:, number]) for number in range(truth.shape[1])]
    return _averaged([found for found in each if not np.isnan(found[0])])


def _auc_of_class(number: int, truth: Floats, score: Floats) -> _Found:
    n, k = truth.shape
    positive = truth[:, number]
    negative = 1 - positive
    positives, negatives = float(positive.sum()), float(negative.sum())
    if not (positives > 0 and negatives > 0):
        return float("nan"), np.full_like(truth, np.nan)
    _, place = np.unique(score, return_inverse=True)
    below = _below_and_half(place, negative)[place] / negatives  # share of the negatives that each row outranks
    above = 1 - _below_and_half(place, positive)[place] / positives
    value = float(positive @ below / positives)
    influence = np.repeat((above - value)[:, None] * n / negatives, k, axis=1)
    influence[:, number] = (below - value) * n / positives
    return value, influence


def _below_and_half(place: NDArray[np.int64], mass: Floats) -> Floats:
    """For each distinct score the mass of the lower ones and half of its own."""
    there = np.bincount(place, weights=mass)
    found: Floats = np.cumsum(there) - there / 2
    return found


def _average_precision(truth: Floats, scores: Floats, _: NDArray[np.int64]) -> _Found:
    n, positive = truth.shape[0], truth[:, 1]
    share = float(positive.mean())
    if not share > 0:
        return float("nan"), np.full_like(truth, np.nan)
    _, place = np.unique(-scores[:, 1], return_inverse=True)  # step by step from the highest score down
    positives, rows = np.bincount(place, weights=positive) / n, np.bincount(place) / n
    reached, claimed = np.cumsum(positives), np.cumsum(rows)
    precision = reached / claimed
    value = float(positives @ precision) / share
    # A row counts at every step from its own on: among the claimed ones, and if true among the reached ones
    as_claimed = np.cumsum((positives * reached / claimed**2)[::-1])[::-1][place]
    as_reached = np.cumsum((positives / claimed)[::-1])[::-1][place]
    influence = np.column_stack([-as_claimed, precision[place] + as_reached - as_claimed - value]) / share
    return value, influence - float((truth * influence).sum() / n)


def _calibration_error(truth: Floats, scores: Floats, answered: NDArray[np.int64]) -> _Found:
    n, k = truth.shape
    number = np.ones(n, dtype=np.int64) if k == 2 else answered
    score = scores[np.arange(n), number]
    bins = np.searchsorted(np.sort(score), score, side="left") * CALIBRATION_BINS // n
    sums = np.bincount(bins, weights=score - truth[np.arange(n), number], minlength=CALIBRATION_BINS)
    value = float(np.abs(sums).sum() / n)
    errors = score[:, None] - _one_hot(number, k)
    influence: Floats = np.sign(sums)[bins][:, None] * errors - value
    return value, influence


def _averaged(found: list[_Found]) -> _Found:
    if not found:
        return float("nan"), np.full((1, 1), np.nan)
    return float(np.mean([value for value, _ in found])), np.mean([each for _, each in found], axis=0)


def _one_hot(numbers: NDArray[np.int64], k: int) -> Floats:
    hot: Floats = (numbers[:, None] == np.arange(k)).astype(np.float64)
    return hot


_Estimate = Callable[[Floats, Floats, NDArray[np.int64]], _Found]
_MULTICLASS_METRICS: dict[str, _Estimate] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "brier": _brier,
    "calibration_error": _calibration_error,
    "f1": _f1,
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
}
_METRICS: dict[str, _Estimate] = _MULTICLASS_METRICS | {"average_precision": _average_precision}
