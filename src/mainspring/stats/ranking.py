"""How well a score puts the rows of one class above the others."""

import numpy as np
from numpy.typing import NDArray


def rank_auc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: the chance that a positive row scores above a negative one, ties half.

    By the Mann–Whitney statistic over the distinct scores.

    Args:
        score: float64 [n], no NaN.
        positive: bool [n].

    Returns:
        Between 0 and 1; NaN where all rows are of one class.

    Examples:
        >>> rank_auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
        0.875
    """
    _, place = np.unique(score, return_inverse=True)
    positives = np.bincount(place, weights=positive)
    negatives = np.bincount(place) - positives
    pairs = positives.sum() * negatives.sum()
    if not pairs:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)
