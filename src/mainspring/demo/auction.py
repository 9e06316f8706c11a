"""Choosing ads by the model, over HTTP, and what that is worth by the law that the simulator knows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.clock import Clock
from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, POSITIONS, SITES, Agency

Predict = Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """What the choices were worth; the rates are expected clicks per impression by the law.

    Attributes:
        chosen: of the ads that the model chose.
        random: of an ad chosen at random.
        best: of the best ads, known to the law alone.
        milliseconds: the median time of one request.
    """

    requests: int
    predictions: int
    chosen: float
    random: float
    best: float
    milliseconds: float

    @property
    def uplift(self) -> float:
        """How many more clicks than by chance, as a share: 0.5 is half as many again."""
        return self.chosen / self.random - 1.0

    @property
    def possible(self) -> float:
        """The uplift of the best ads."""
        return self.best / self.random - 1.0


def hold_auctions(
    agency: Agency, predict: Predict, *, positive: str, auctions: int, bidders: int, seed: int, clock: Clock
) -> AuctionResult:
    """For each of some visitors, ask for the chance of a click on each of some ads, and show the likeliest.

    Args:
        predict: rows of one visitor's ads → the gateway's predictions for them.
        positive: the class that is a click.
    """
    rng = np.random.default_rng([seed, 4])
    chosen, at_random, best, seconds = [], [], [], []
    for _ in range(auctions):
        visitor = int(rng.integers(len(agency.visitors)))
        ads = rng.choice(len(agency.ads), min(bidders, len(agency.ads)), replace=False)
        place = {
            "site": int(rng.integers(len(SITES))),
            "position": int(rng.integers(POSITIONS)),
            "hour": int(agency.visitors.habit[visitor]),
        }
        rows = [_row(agency, visitor, int(ad), weekday=int(rng.integers(7)), **place) for ad in ads]
        began = clock.monotonic()
        answers = predict(rows)
        seconds.append(clock.monotonic() - began)
        likeliest = int(np.argmax([answer["probabilities"][positive] for answer in answers]))
        law = agency.click_probability(
            np.full(len(ads), visitor), ads, **{name: np.full(len(ads), value) for name, value in place.items()}
        )
        chosen.append(law[likeliest])
        at_random.append(law.mean())
        best.append(law.max())
    return AuctionResult(
        requests=auctions,
        predictions=auctions * min(bidders, len(agency.ads)),
        chosen=float(np.mean(chosen)),
        random=float(np.mean(at_random)),
        best=float(np.mean(best)),
        milliseconds=float(np.median(seconds)) * 1_000,
    )


def _row(
    agency: Agency, visitor: int, ad: int, *, site: int, position: int, hour: int, weekday: int
) -> dict[str, Any]:
    """What is known before the ad is shown, as the model's features."""
    people, ads = agency.visitors, agency.ads
    return {
        "hour": hour,
        "weekday": weekday,
        "site": SITES[site],
        "position": position + 1,
        "device": DEVICES[people.device[visitor]],
        "age_group": AGE_GROUPS[people.age_group[visitor]],
        "interest": CATEGORIES[people.interest[visitor]],
        "usual_hour": int(people.habit[visitor]),
        "category": CATEGORIES[ads.category[ad]],
        "price_cents": max(1, int(ads.bid_cents[ad]) * 3 // 4),
        "brightness": float(ads.brightness[ad]),
        "colourfulness": float(ads.colourfulness[ad]),
    }
