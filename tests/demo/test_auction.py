import numpy as np
import pytest

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, SITES, TURNED, USUAL, Agency
from mainspring.demo.auction import choose, draw_auction
from mainspring.demo.banners import Looks


@pytest.fixture
def agency() -> Agency:
    rng = np.random.default_rng(0)
    return Agency([Looks(*rng.uniform(0.1, 0.9, 2)) for _ in range(30)], visitors=500, seed=3)


def law_of(agency: Agency, row: dict) -> float:
    """The law's chance of a click, from what the model is asked alone."""
    people, ads = agency.visitors, agency.ads
    same = (
        (people.device == DEVICES.index(row["device"]))
        & (people.age_group == AGE_GROUPS.index(row["age_group"]))
        & (people.interest == CATEGORIES.index(row["interest"]))
        & (people.habit == row["usual_hour"])
    )
    ad = (ads.brightness == row["brightness"]) & (ads.colourfulness == row["colourfulness"])
    place = {
        "site": np.array(SITES.index(row["site"])),
        "position": np.array(row["position"] - 1),
        "hour": np.array(row["hour"]),
    }
    return float(agency.click_probability(np.flatnonzero(same)[:1], np.flatnonzero(ad)[:1], **place)[0])


@pytest.mark.parametrize("taste", [USUAL, TURNED])
def test_the_rows_tell_all_that_the_law_depends_on(agency, taste):
    agency.taste = taste
    rng = np.random.default_rng(1)
    for _ in range(50):
        auction = draw_auction(agency, rng, 8)
        assert len(auction.rows) == len(set(auction.ads.tolist())) == 8
        assert [law_of(agency, row) for row in auction.rows] == pytest.approx(auction.law.tolist())


def test_no_more_ads_bid_than_there_are(agency):
    assert len(draw_auction(agency, np.random.default_rng(1), 100).rows) == 30


def test_the_rows_are_what_the_project_asks_for(agency):
    from mainspring.demo.example import FAULTY, example_folder
    from mainspring.project import load_project

    (row, *_) = draw_auction(agency, np.random.default_rng(1), 8).rows
    for folder in (example_folder(), example_folder() / FAULTY):
        assert set(row) == set(load_project(folder, {}).model.features)


def test_the_likeliest_ad_is_shown_but_for_the_share_that_is_left_to_chance():
    chances, rng = [0.1, 0.2, 0.9, 0.3], np.random.default_rng(2)
    assert {choose(chances, rng, 0.0) for _ in range(100)} == {2}
    places = [choose(chances, rng, 0.4) for _ in range(4_000)]
    shares = np.bincount(places) / 4_000
    assert shares == pytest.approx([0.1, 0.1, 0.7, 0.1], abs=0.03)


def test_when_the_taste_turns_who_chose_well_chooses_badly(agency):
    rng = np.random.default_rng(3)
    auctions = []
    for _ in range(300):
        state = rng.bit_generator.state
        usual = draw_auction(agency, rng, 10)
        agency.taste, rng.bit_generator.state = TURNED, state
        turned = draw_auction(agency, rng, 10)
        agency.taste = USUAL
        assert turned.rows == usual.rows
        auctions.append((usual.law, turned.law))
    by_the_old_law = np.mean([turned[usual.argmax()] for usual, turned in auctions])
    best = np.mean([turned.max() for _, turned in auctions])
    chance = np.mean([turned.mean() for _, turned in auctions])
    assert by_the_old_law < chance < 0.5 * best
