import numpy as np
import pytest

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, SITES, Agency
from mainspring.demo.auction import hold_auctions
from mainspring.demo.banners import Looks


class Stopwatch:
    """A clock that goes on by a millisecond each time it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 0.001
        return self.seconds


@pytest.fixture(scope="module")
def agency() -> Agency:
    rng = np.random.default_rng(0)
    return Agency([Looks(*rng.uniform(0.1, 0.9, 2)) for _ in range(30)], visitors=500, seed=3)


def auction(agency: Agency, score) -> tuple:
    seen = []

    def predict(rows):
        seen.extend(rows)
        return [{"probabilities": {"no": 1 - score(row), "yes": score(row)}} for row in rows]

    result = hold_auctions(agency, predict, positive="yes", auctions=200, bidders=8, seed=1, clock=Stopwatch())
    return result, seen


def test_the_law_itself_gets_all_that_is_possible_and_chance_gets_nothing(agency):
    rng = np.random.default_rng(5)
    blind, rows = auction(agency, lambda row: rng.random())
    assert abs(blind.uplift) < 0.1
    assert blind.possible > 0.5

    def law(row):
        # Another visitor of the same kind has the same chance.
        people = agency.visitors
        same = (
            (people.device == DEVICES.index(row["device"]))
            & (people.age_group == AGE_GROUPS.index(row["age_group"]))
            & (people.interest == CATEGORIES.index(row["interest"]))
            & (people.habit == row["usual_hour"])
        )
        ads = agency.ads
        ad = (ads.brightness == row["brightness"]) & (ads.colourfulness == row["colourfulness"])
        place = {
            "site": np.array(SITES.index(row["site"])),
            "position": np.array(row["position"] - 1),
            "hour": np.array(row["hour"]),
        }
        return float(agency.click_probability(np.flatnonzero(same)[:1], np.flatnonzero(ad)[:1], **place)[0])

    perfect, _ = auction(agency, law)
    assert perfect.chosen == pytest.approx(perfect.best)
    assert perfect.uplift == pytest.approx(perfect.possible)
    assert (perfect.requests, perfect.predictions) == (200, 1_600)
    assert perfect.milliseconds == pytest.approx(1.0)
    assert len(rows) == 1_600


def test_the_rows_are_what_the_project_asks_for(agency):
    from mainspring.demo.example import example_folder
    from mainspring.project import load_project

    model = load_project(example_folder(), {}).model
    _, rows = auction(agency, lambda row: 0.5)
    assert set(rows[0]) == set(model.features)
