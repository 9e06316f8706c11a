"""An auction: a visitor comes, some ads bid, and what the model says of them decides which one is shown.

A request names the ad and the visitor. How the ad's banner looks and what the visitor has read are features of
views, which the gateway finds by these keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, POSITIONS, SITES, Agency, Floats, Integers
from mainspring.demo.names import ad_name, visitor_name


@dataclass(frozen=True, slots=True, eq=False)
class Auction:
    """A visitor and the ads that bid for a place on their page.

    Attributes:
        ads: which [n].
        rows: what is asked about each before it is shown [n].
        law: the chance of a click on each [n], known to the simulator alone.
    """

    ads: Integers
    rows: Sequence[dict[str, Any]]
    law: Floats


def draw_auction(agency: Agency, visitor: int, rng: np.random.Generator, bidders: int) -> Auction:
    """A visitor, who comes at their usual hour, and as many ads that bid."""
    count = min(bidders, len(agency.ads))
    ads = rng.permutation(len(agency.ads))[:count]
    place = {
        "site": int(rng.integers(len(SITES))),
        "position": int(rng.integers(POSITIONS)),
        "hour": int(agency.visitors.habit[visitor]),
    }
    weekday = int(rng.integers(7))
    law = agency.click_probability(
        np.full(count, visitor), ads, **{name: np.full(count, value) for name, value in place.items()}
    )
    rows = [_row(agency, visitor, int(ad), weekday=weekday, **place) for ad in ads]
    return Auction(ads, rows, law)


def choose(chances: Sequence[float], rng: np.random.Generator, curious: float) -> int:
    """The place of the ad that is shown: the likeliest one, or now and then any.

    What is never shown is never learnt: so a share of the choices, `curious`, is left to chance.

    Examples:
        >>> choose([0.1, 0.3, 0.2], np.random.default_rng(0), curious=0.0)
        1
    """
    if rng.random() < curious:
        return int(rng.integers(len(chances)))
    return int(np.argmax(chances))


def _row(
    agency: Agency, visitor: int, ad: int, *, site: int, position: int, hour: int, weekday: int
) -> dict[str, Any]:
    people, ads = agency.visitors, agency.ads
    return {
        "hour": hour,
        "weekday": weekday,
        "site": SITES[site],
        "position": position + 1,
        "visitor_id": visitor_name(visitor),
        "device": DEVICES[people.device[visitor]],
        "age_group": AGE_GROUPS[people.age_group[visitor]],
        "ad_id": ad_name(ad),
        "category": CATEGORIES[ads.category[ad]],
        "price_cents": max(1, int(ads.bid_cents[ad]) * 3 // 4),
    }
