"""What the choices of ads were worth, by the law that the simulator knows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Shown:
    """One ad that was shown.

    Attributes:
        at: when, in seconds of the clock's `monotonic`.
        release: that chose it, e.g. `adclick@1`.
        chance: of a click, by the law.
        best, random: of the best of the ads that bid, and on the average of them.
    """

    at: float
    release: str
    chance: float
    best: float
    random: float
    clicked: bool


@dataclass(frozen=True, slots=True)
class ClickThrough:
    """Clicks per ad shown.

    Attributes:
        chosen: that the law expects of the ads that were chosen.
        clicked: that came.
        best, random: that the law expects of the best choice there was, and of one by chance.
    """

    shown: int
    chosen: float
    clicked: float
    best: float
    random: float

    @property
    def of_possible(self) -> float:
        """How much of what is possible beyond chance was reached: 1 by the best choices, 0 by chance.

        Examples:
            >>> round(ClickThrough(100, chosen=0.2, clicked=0.21, best=0.3, random=0.1).of_possible, 3)
            0.5
        """
        return (self.chosen - self.random) / (self.best - self.random)


def click_through(
    shown: Iterable[Shown], release: str, *, since: float = -np.inf, until: float = np.inf
) -> ClickThrough | None:
    """Of what a release chose in this time; `None` where it chose nothing."""
    own = [one for one in shown if one.release == release and since <= one.at < until]
    if not own:
        return None
    values = np.array([[one.chance, one.clicked, one.best, one.random] for one in own], dtype=np.float64)
    return ClickThrough(len(own), *(float(mean) for mean in values.mean(axis=0)))
