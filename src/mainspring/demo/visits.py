"""What the visitors read: nobody asks them what they like, but each page that they read has a topic."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from mainspring.demo.agency import CATEGORIES, Agency, Integers

_A_WEEK = 2.5  # visits of a visitor, on average; some come often and some hardly ever
_FAITHFUL = 0.85  # share of what they read that is of the category which they like
_PUNCTUAL = 1.0  # hours by which they are off the hour at which they are used to be online


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits, in the order of time; arrays of one value a visit.

    Attributes:
        left_at: microseconds since 1970, UTC.
        topic: of the page that was read, as a place in `CATEGORIES`.
    """

    visitor: Integers
    left_at: Integers
    topic: Integers

    def __len__(self) -> int:
        return len(self.visitor)

    @property
    def hour(self) -> Integers:
        return self.left_at // 3_600_000_000 % 24


def draw_visits(agency: Agency, *, start: datetime, days: int, seed: int) -> Visits:
    """What the visitors read in some days.

    Args:
        start: a midnight, UTC.

    Examples:
        >>> from mainspring.demo.banners import Looks
        >>> agency = Agency([Looks(0.6, 0.5)] * 10, visitors=1_000, seed=1)
        >>> visits = draw_visits(agency, start=datetime(2026, 1, 5), days=7, seed=2)
        >>> likes = agency.visitors.interest[visits.visitor]
        >>> 2_000 < len(visits) < 3_000, bool(0.8 < (visits.topic == likes).mean() < 0.95)
        (True, True)
    """
    rng = np.random.default_rng([seed, 5])
    people = agency.visitors
    weeks = days / 7
    count = rng.poisson(rng.gamma(2.0, _A_WEEK / 2.0, len(people)) * weeks)
    visitor = np.repeat(np.arange(len(people)), count)
    hour = np.rint(people.habit[visitor] + rng.normal(0.0, _PUNCTUAL, len(visitor))).astype(np.int64) % 24
    first = (start - datetime(1970, 1, 1, tzinfo=start.tzinfo)) // timedelta(microseconds=1)
    day = rng.integers(0, days, len(visitor))
    left_at = first + (day * 24 + hour) * 3_600_000_000 + rng.integers(0, 3_600_000_000, len(visitor))
    topic = read_by(agency, visitor, rng)
    order = np.argsort(left_at, kind="stable")
    return Visits(visitor[order], left_at[order], topic[order])


def read_by(agency: Agency, visitor: Integers, rng: np.random.Generator) -> Integers:
    """The topic of a page that each of these visitors reads."""
    likes = agency.visitors.interest[visitor]
    return np.where(rng.random(len(visitor)) < _FAITHFUL, likes, rng.integers(0, len(CATEGORIES), len(visitor)))
