"""A stream of residuals or errors that a detector follows, and to which hours its values belong."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from mainspring.monitoring.concept.detectors import Detector, Found, detector_of
from mainspring.monitoring.performance.labelled import Floats

_MOST_HOURS = 24 * 60


@dataclass(frozen=True, slots=True)
class HourSums:
    """What came of one hour's answers, at once.

    Attributes:
        start: of the hour in which they were answered.
        first: the index of the first value in the stream.
        squares: the sum of the squares.
    """

    start: datetime
    first: int
    rows: int
    total: float
    squares: float


class Stream:
    """The values in their order, with the detector that follows them; plain JSON between looks.

    Args:
        method: of the detector.
        state: of `to_dict`; `None` for a new one.
    """

    def __init__(self, method: str, state: Mapping[str, Any] | None = None) -> None:
        self.detector: Detector = detector_of(method, None if state is None else state["detector"])
        self._hours: list[HourSums] = [] if state is None else [_hour(one) for one in state["hours"]]
        expected = None if state is None else state.get("expected")
        self._expected = None if expected is None else (datetime.fromisoformat(expected[0]), int(expected[1]))

    def expect(self, since: datetime, values: Floats) -> list[Found]:
        """Take in, before all others, the values of rows that nobody asked about, and return the changes seen.

        Args:
            since: the time of the first of them.
            values: [n] or [n, columns].
        """
        if not values.size:
            return []
        self._expected = since, len(values)
        return self.detector.update(values)

    def feed(self, start: datetime, values: Floats) -> list[Found]:
        """Take in the values [n] or [n, columns] of answers of one hour, and return the changes seen.

        The first column is what is summed for people.
        """
        if not values.size:
            return []
        shown = values.reshape(len(values), -1)[:, 0]
        sums = HourSums(start, self.detector.seen, len(shown), float(shown.sum()), float(np.square(shown).sum()))
        self._hours = [*self._hours, sums][-_MOST_HOURS:]
        return self.detector.update(values)

    def hour_of(self, index: int) -> datetime:
        """The hour in which the value of this index was answered; the oldest known one where that is forgotten.

        Of what was expected it is the time of the first.
        """
        if self._expected is not None and index < self._expected[1]:
            return self._expected[0]
        return self._hours[max(0, bisect_right(self._hours, index, key=lambda hour: hour.first) - 1)].start

    def since(self, moment: datetime) -> Sequence[HourSums]:
        """What came of the hours from this moment on."""
        return [hour for hour in self._hours if hour.start >= moment]

    def to_dict(self) -> dict[str, Any]:
        hours = [[one.start.isoformat(), one.first, one.rows, one.total, one.squares] for one in self._hours]
        expected = None if self._expected is None else [self._expected[0].isoformat(), self._expected[1]]
        return {"detector": self.detector.to_dict(), "hours": hours, "expected": expected}


def _hour(stored: Sequence[Any]) -> HourSums:
    start, *numbers = stored
    return HourSums(datetime.fromisoformat(start), *numbers)
