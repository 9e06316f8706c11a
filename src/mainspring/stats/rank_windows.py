"""The area under the ROC curve, window by window: so it is a mean, and can be looked at as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.ranking import rank_auc

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

LEAST_ROWS = 10
"""Of a window, one half of each class."""
_EACH = LEAST_ROWS // 2
_MOST = 50 * _EACH  # of a class; where the other one is rare, further rows tell next to nothing


class RankWindows:
    """Cuts rows into windows in their order, and gives the areas under the curves of their scores in each.

    The area over all rows is no mean of rows, and has no confidence sequence. The areas in windows of which no row
    is in two are independent, and each is on average the area over all rows (Hoeffding 1948), since a window ends
    when it has five rows of each class, whatever their scores: their mean can be looked at all the time by
    `sequential.mean_sequence`, as that of any rows of a known range. Larger windows would need fewer rows for the
    same variance, and more for the bet, which takes a window as one row; five is the best at shares of the rarer
    class from a twentieth to a half. Rows that come together are ranked with each other only, so that a law that
    changes with time does not count against a score.

    Args:
        scores: of each row, beside each other.

    Attributes:
        rows: in windows that have ended.
        seen: all rows.

    Examples:
        >>> windows = RankWindows(1)
        >>> positive = np.array([True, False] * 6)
        >>> windows.add(positive, np.where(positive, 0.7, 0.2)[:, None]).tolist()
        [[1.0]]
        >>> windows.rows, windows.seen
        (10, 12)
    """

    __slots__ = ("_positive", "_scores", "rows", "seen")

    def __init__(self, scores: int) -> None:
        self.rows = self.seen = 0
        self._positive: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._scores: Floats = np.zeros((0, scores))

    def add(self, positive: NDArray[np.bool_], scores: Floats) -> Floats:
        """Take in rows; it makes no difference in how many parts they come.

        Args:
            positive: [n].
            scores: [n, k], no NaN.

        Returns:
            The areas [w, k] in the windows that ended with these rows.
        """
        left_out = self.seen - self.rows - len(self._positive)
        self.seen += len(positive)
        positive = np.concatenate([self._positive, positive])
        scores = np.concatenate([self._scores, scores])
        found, start = [], 0
        for end in _ends(positive):
            window = start + _counted(positive[start:end])
            found.append([rank_auc(column, positive[window]) for column in scores[window].T])
            start = end
        if start:
            self.rows += left_out + start
        kept = start + _counted(positive[start:])
        self._positive, self._scores = positive[kept], scores[kept]
        return np.array(found, dtype=np.float64).reshape(len(found), scores.shape[1])

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "seen": self.seen,
            "positive": self._positive.tolist(),
            "scores": self._scores.T.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RankWindows:
        found = cls(len(data["scores"]))
        found.rows, found.seen = int(data["rows"]), int(data["seen"])
        found._positive = np.array(data["positive"], dtype=bool)
        found._scores = np.array(data["scores"], dtype=np.float64).T
        return found


def _ends(positive: NDArray[np.bool_]) -> Iterator[int]:
    """Where each window ends: with the row that makes it have enough of both classes."""
    ups, downs = np.flatnonzero(positive), np.flatnonzero(~positive)
    up = down = 0
    while up + _EACH <= ups.size and down + _EACH <= downs.size:
        end = int(max(ups[up + _EACH - 1], downs[down + _EACH - 1])) + 1
        yield end
        up, down = int(np.searchsorted(ups, end)), int(np.searchsorted(downs, end))


def _counted(positive: NDArray[np.bool_]) -> Places:
    """The places of a window's rows that count, in their order."""
    return np.sort(np.concatenate([np.flatnonzero(positive)[:_MOST], np.flatnonzero(~positive)[:_MOST]]))
