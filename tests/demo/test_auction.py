import numpy as np
import pytest

from mainspring.demo.agency import AGE_GROUPS, CATEGORIES, DEVICES, SITES, TURNED, USUAL, Agency
from mainspring.demo.auction import Auction, choose, draw_auction
from mainspring.demo.banners import Looks
from mainspring.demo.names import visitor_name


@pytest.fixture
def agency() -> Agency:
    rng = np.random.default_rng(0)
    return Agency([Looks(*rng.uniform(0.1, 0.9, 2)) for _ in range(30)], visitors=500, seed=3)


def draw(agency: Agency, rng: np.random.Generator, bidders: int) -> Auction:
    return draw_auction(agency, int(rng.integers(len(agency.visitors))), rng, bidders)


def law_of(agency: Agency, row: dict) -> float:
    """The law's chance of a click, from what the model is asked alone."""
    people, ads = agency.visitors, agency.ads
    visitors = [visitor_name(number) for number in range(len(people))]
    visitor, ad = np.array(visitors.index(row["visitor_id"])), np.array(int(row["ad_id"].removeprefix("ad-")))
    assert DEVICES[people.device[visitor]] == row["device"]
    assert AGE_GROUPS[people.age_group[visitor]] == row["age_group"]
    assert CATEGORIES[ads.category[ad]] == row["category"]
    place = {
        "site": np.array(SITES.index(row["site"])),
        "position": np.array(row["position"] - 1),
        "hour": np.array(row["hour"]),
    }
    return float(agency.click_probability(visitor, ad, **place))


@pytest.mark.parametrize("taste", [USUAL, TURNED])
def test_the_rows_tell_all_that_the_law_depends_on(agency, taste):
    agency.taste = taste
    rng = np.random.default_rng(1)
    for _ in range(50):
        auction = draw(agency, rng, 8)
        assert len(auction.rows) == len(set(auction.ads.tolist())) == 8
        assert [law_of(agency, row) for row in auction.rows] == pytest.approx(auction.law.tolist())


def test_no_more_ads_bid_than_there_are(agency):
    assert len(draw(agency, np.random.default_rng(1), 100).rows) == 30


def test_the_rows_are_what_the_project_asks_for_and_the_keys_of_its_views(agency, tmp_path):
    from mainspring.demo.example import FAULTY, VIEWS, copy_example
    from mainspring.project import load_project

    copy_example(tmp_path)
    (tmp_path / FAULTY / VIEWS).write_bytes((tmp_path / VIEWS).read_bytes())
    (row, *_) = draw(agency, np.random.default_rng(1), 8).rows
    for folder in (tmp_path, tmp_path / FAULTY):
        model = load_project(folder, {}).model
        keys = [key for view in model.views for key in view.keys]
        assert set(row) == {*model.plain_features, *keys}
        assert len(keys) == 2


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
        usual = draw(agency, rng, 10)
        agency.taste, rng.bit_generator.state = TURNED, state
        turned = draw(agency, rng, 10)
        agency.taste = USUAL
        assert turned.rows == usual.rows
        auctions.append((usual.law, turned.law))
    by_the_old_law = np.mean([turned[usual.argmax()] for usual, turned in auctions])
    best = np.mean([turned.max() for _, turned in auctions])
    chance = np.mean([turned.mean() for _, turned in auctions])
    assert by_the_old_law < chance < 0.5 * best
