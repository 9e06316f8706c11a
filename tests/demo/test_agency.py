from datetime import UTC, datetime

import numpy as np
import pytest

from mainspring.demo.agency import Agency, best_auc
from mainspring.demo.banners import Looks

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def agency() -> Agency:
    rng = np.random.default_rng(0)
    looks = [Looks(*rng.uniform(0.1, 0.9, 2)) for _ in range(40)]
    return Agency(looks, visitors=2_000, seed=3)


def test_the_same_seed_gives_the_same_impressions_and_another_seed_others(agency):
    once, again, other = (agency.show(5_000, start=START, days=7, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(getattr(once, f), getattr(again, f)) for f in once.__slots__)
    assert not np.array_equal(once.shown_at, other.shown_at)


def test_clicks_follow_the_law(agency):
    shown = agency.show(400_000, start=START, days=7, seed=1)
    order = np.argsort(shown.probability)
    for part in np.array_split(order, 20):
        expected = shown.probability[part].mean()
        deviation = np.sqrt(expected * (1 - expected) / len(part))
        assert abs(shown.clicked[part].mean() - expected) < 4.5 * deviation


def test_impressions_are_in_order_of_time_within_their_days_and_money_is_whole(agency):
    shown = agency.show(10_000, start=START, days=2, seed=1)
    first = int(START.timestamp()) * 1_000_000
    assert (np.diff(shown.shown_at) >= 0).all()
    assert first <= shown.shown_at[0]
    assert shown.shown_at[-1] < first + 2 * 86_400_000_000
    assert set(shown.weekday) == {0, 1}
    assert shown.price_cents.dtype == np.int64
    assert (shown.price_cents >= 1).all()
    assert (shown.price_cents <= agency.ads.bid_cents[shown.ad]).all()


def test_the_best_auc_is_what_the_law_reaches(agency):
    shown = agency.show(300_000, start=START, days=7, seed=5)
    clicked, others = shown.probability[shown.clicked], np.sort(shown.probability[~shown.clicked])
    below = np.searchsorted(others, clicked, "left") + np.searchsorted(others, clicked, "right")
    measured = below.sum() / 2 / (len(clicked) * len(others))
    assert best_auc(shown.probability) == pytest.approx(measured, abs=0.004)
    assert 0.68 < measured < 0.78


def test_the_best_auc_of_a_small_law_is_exact():
    p = np.array([0.2, 0.5, 0.5, 0.9])
    pairs = [(i, j) for i in range(4) for j in range(4)]
    won = sum(p[i] * (1 - p[j]) * ((p[i] > p[j]) + (p[i] == p[j]) / 2) for i, j in pairs)
    assert best_auc(p) == pytest.approx(won / sum(p[i] * (1 - p[j]) for i, j in pairs))


def test_the_banner_and_the_interest_matter(agency):
    visitor = np.arange(200)
    flat = {"site": np.array(1), "position": np.array(0), "hour": np.array(12)}
    chance = agency.click_probability(visitor[:, None], np.arange(40)[None, :], **flat)
    assert (chance.max(axis=1) > 1.5 * chance.mean(axis=1)).all()


def test_a_hundred_thousand_impressions_take_less_than_a_second(agency):
    import time

    began = time.process_time()
    agency.show(100_000, start=START, days=7, seed=9)
    assert time.process_time() - began < 1.0
