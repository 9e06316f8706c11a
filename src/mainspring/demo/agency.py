"""An advertising agency with a known click law: ads, visitors, and what happens when one is shown to the other.

The chance of a click is `sigmoid(law)`, where the law adds up: the visitor's device, age and interest (an ad of
the category that they like is clicked more), the hour (people click when they are used to be online), the
position on the page, the site, and the banner (brightness has a best value; colour helps on phones). Since the law
is known, so is the best that any model can do, and what a better choice of ads is worth. What people like is their
`Taste`, and may change.

Everything is drawn from seeds, in whole arrays. Money is whole cents.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mainspring.demo.banners import Looks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CATEGORIES = ("books", "cars", "fashion", "finance", "food", "games", "sports", "travel")
DEVICES = ("desktop", "phone", "tablet")
AGE_GROUPS = ("18-24", "25-34", "35-44", "45-54", "55+")
SITES = ("forum", "news", "recipes", "video", "weather")
POSITIONS = 5

_BASE = -3.1
_DEVICE = np.array([-0.10, 0.25, 0.0])
_SITE = np.array([0.15, -0.10, 0.30, 0.0, -0.35])
_POSITION = np.array([0.55, 0.20, 0.0, -0.25, -0.50])
_HABIT = 0.6
_BRIGHTNESS = 4.0
# How many people are online, by hour of the day (UTC), relative to the mean.
_TRAFFIC = np.array([3, 2, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5], dtype=float)


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """What people like.

    Attributes:
        of_ages: who likes what, beyond their own interest: one row an age group, one column a category.
        interest: in an ad of the category that the visitor likes.
        brightness: of a banner, which they like best.
        colour: how much more they like a colourful one, by device.
    """

    of_ages: Floats
    interest: float
    brightness: float
    colour: Floats


USUAL = Taste(
    of_ages=np.array(
        [
            [-0.2, -0.1, 0.5, -0.6, 0.1, 0.8, 0.3, 0.1],
            [0.0, 0.1, 0.4, -0.1, 0.2, 0.4, 0.2, 0.3],
            [0.1, 0.3, 0.0, 0.3, 0.2, -0.1, 0.1, 0.3],
            [0.3, 0.2, -0.2, 0.5, 0.0, -0.5, 0.0, 0.2],
            [0.5, -0.1, -0.4, 0.4, -0.1, -0.8, -0.2, 0.1],
        ]
    ),
    interest=1.1,
    brightness=0.6,
    colour=np.array([0.2, 1.2, 0.5]),
)
TURNED = Taste(
    of_ages=np.array([2.2, -1.5, -2.0, 1.8, 0.5, -2.0, -1.5, 2.2]) - USUAL.of_ages,
    interest=-2.0,
    brightness=0.1,
    colour=-2.0 * USUAL.colour,
)
"""People are tired of what they liked: books, travel and finance are the fashion, and dark, plain banners."""


@dataclass(frozen=True, slots=True)
class Ads:
    """The ads; arrays of one value an ad, categories as places in `CATEGORIES`."""

    category: Integers
    bid_cents: Integers
    brightness: Floats
    colourfulness: Floats

    def __len__(self) -> int:
        return len(self.category)


@dataclass(frozen=True, slots=True)
class Visitors:
    """The visitors; arrays of one value a visitor, as places in the constants above.

    Attributes:
        habit: the hour of the day at which they are used to be online.
    """

    device: Integers
    age_group: Integers
    interest: Integers
    habit: Integers

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True, slots=True)
class Impressions:
    """Ads shown to visitors, in the order of time; arrays of one value an impression.

    Attributes:
        shown_at: microseconds since 1970, UTC.
        probability: the law's chance of a click; known to the simulator alone.
    """

    visitor: Integers
    ad: Integers
    site: Integers
    position: Integers  # from 0
    shown_at: Integers
    price_cents: Integers
    probability: Floats
    clicked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.visitor)

    @property
    def hour(self) -> Integers:
        return self.shown_at // 3_600_000_000 % 24

    @property
    def weekday(self) -> Integers:
        """Monday is 0; the first of January 1970 was a Thursday."""
        return (self.shown_at // 86_400_000_000 + 3) % 7


class Agency:
    """The agency's ads, its visitors and the law between them.

    Args:
        looks: of each ad's banner.
        visitors: how many there are.
        seed: of everything but the banners.

    Attributes:
        taste: the visitors'; to be replaced when it changes.

    Examples:
        >>> agency = Agency([Looks(0.6, 0.5)] * 10, visitors=100, seed=1)
        >>> shown = agency.show(1_000, start=datetime(2026, 1, 5), days=7.0, seed=2)
        >>> bool(0.02 < shown.clicked.mean() < 0.3)
        True
    """

    def __init__(self, looks: list[Looks], *, visitors: int, seed: int) -> None:
        self.taste = USUAL
        rng = np.random.default_rng([seed, 1])
        count = len(looks)
        self.ads = Ads(
            category=rng.integers(0, len(CATEGORIES), count),
            bid_cents=np.maximum(1, np.rint(rng.lognormal(3.4, 0.5, count))).astype(np.int64),
            brightness=np.array([look.brightness for look in looks]),
            colourfulness=np.array([look.colourfulness for look in looks]),
        )
        age = rng.choice(len(AGE_GROUPS), visitors, p=[0.2, 0.28, 0.22, 0.17, 0.13])
        on_phone = np.array([0.75, 0.68, 0.58, 0.45, 0.3])[age]
        draw = rng.random(visitors)
        self.visitors = Visitors(
            device=np.where(draw < on_phone, 1, np.where(draw < on_phone + 0.1, 2, 0)).astype(np.int64),
            age_group=age.astype(np.int64),
            interest=rng.integers(0, len(CATEGORIES), visitors),
            habit=rng.choice(24, visitors, p=_TRAFFIC / _TRAFFIC.sum()).astype(np.int64),
        )

    def click_probability(
        self, visitor: Integers, ad: Integers, *, site: Integers, position: Integers, hour: Integers
    ) -> Floats:
        """The law; all arguments are arrays of places, of one length or to be broadcast."""
        people, ads, taste = self.visitors, self.ads, self.taste
        device, category = people.device[visitor], ads.category[ad]
        away = 2 * np.pi * (hour - people.habit[visitor]) / 24
        law = (
            _BASE
            + _DEVICE[device]
            + _SITE[site]
            + _POSITION[position]
            + taste.of_ages[people.age_group[visitor], category]
            + taste.interest * (people.interest[visitor] == category)
            + _HABIT * np.cos(away)
            - _BRIGHTNESS * (ads.brightness[ad] - taste.brightness) ** 2
            + taste.colour[device] * (ads.colourfulness[ad] - 0.3)
        )
        probability: Floats = 1.0 / (1.0 + np.exp(-law))
        return probability

    def show(self, count: int, *, start: datetime, days: float, seed: int) -> Impressions:
        """Show ads at random, and see who clicks.

        Args:
            count: impressions.
            start: the first possible moment, UTC.
            days: over which they are spread, more by day than by night.
        """
        rng = np.random.default_rng([seed, 2])
        shown_at = _moments(rng, count, start, days)
        hour = shown_at // 3_600_000_000 % 24
        visitor = rng.integers(0, len(self.visitors), count)
        ad = rng.integers(0, len(self.ads), count)
        site = rng.integers(0, len(SITES), count)
        position = rng.integers(0, POSITIONS, count)
        probability = self.click_probability(visitor, ad, site=site, position=position, hour=hour)
        # A second price: what the next bidder would have paid, less further down the page.
        share = rng.uniform(0.55, 0.95, count) * (1.0 - 0.08 * position)
        return Impressions(
            visitor=visitor,
            ad=ad,
            site=site,
            position=position,
            shown_at=shown_at,
            price_cents=np.maximum(1, np.floor(self.ads.bid_cents[ad] * share)).astype(np.int64),
            probability=probability,
            clicked=rng.random(count) < probability,
        )


def best_auc(probability: Floats) -> float:
    """The ROC AUC that the law itself is expected to reach: no model can do better.

    The chance that of two impressions, one clicked and one not, the law gives the clicked one the higher
    probability: with `p` in rising order, the sum over `i` of `p_i · (sum of 1 - p_j over j before i)`, over the
    product of both sums (ties count half).

    Examples:
        >>> round(best_auc(np.array([0.0, 1.0])), 3), round(best_auc(np.array([0.5, 0.5])), 3)
        (1.0, 0.5)
    """
    values, counts = np.unique(probability, return_counts=True)
    clicks, others = values * counts, (1.0 - values) * counts
    before = np.concatenate([[0.0], np.cumsum(others)[:-1]])
    return float((clicks * (before + others / 2)).sum() / (clicks.sum() * others.sum()))


def _moments(rng: np.random.Generator, count: int, start: datetime, days: float) -> Integers:
    """Sorted microseconds, drawn by the day's curve of traffic."""
    hours = max(1, int(days * 24))  # never past the end, where the next part begins
    weight = _TRAFFIC[(start.hour + np.arange(hours)) % 24]
    hour = rng.choice(hours, count, p=weight / weight.sum())
    within = rng.integers(0, 3_600_000_000, count)
    epoch = datetime(1970, 1, 1, tzinfo=start.tzinfo)
    first = (start.replace(minute=0, second=0, microsecond=0) - epoch) // timedelta(microseconds=1)
    return np.sort(first + hour * 3_600_000_000 + within)
