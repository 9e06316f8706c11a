from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.demo import files
from mainspring.demo.agency import best_auc
from mainspring.demo.banners import HEIGHT, WIDTH, looks_of
from mainspring.demo.visits import draw_visits
from mainspring.features.images import picture_numbers

START = datetime(2026, 1, 5, tzinfo=UTC)


def test_the_files_say_what_happened(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PART", 300)
    agency = files.found_agency(tmp_path, ads=12, visitors=50, seed=1)
    law = files.write_impressions(tmp_path / "impressions.csv", agency, 1_000, start=START, days=3, seed=2)
    rows = pl.read_csv(tmp_path / "impressions.csv")
    assert len(rows) == len(law) == 1_000
    assert rows["impression_id"].n_unique() == 1_000
    assert rows["shown_at"].is_sorted()
    assert set(rows["clicked"]) == {0, 1}
    assert 0.6 < best_auc(law) < 0.9
    ads = pl.read_csv(tmp_path / "ads.csv")
    joined = rows.join(ads, on="ad_id", suffix="_of_ad")
    assert len(joined) == 1_000
    assert (joined["category"] == joined["category_of_ad"]).all()
    assert (joined["price_cents"] <= joined["bid_cents"]).all()
    assert rows["visitor_id"].n_unique() == 50


def test_the_looks_can_be_measured_on_the_pictures(tmp_path):
    agency = files.found_agency(tmp_path, ads=12, visitors=50, seed=1)
    ads = pl.read_csv(tmp_path / "ads.csv")
    looks = [looks_of(tmp_path / banner) for banner in ads["banner"]]
    assert [one.brightness for one in looks] == agency.ads.brightness.tolist()
    assert [one.colourfulness for one in looks] == agency.ads.colourfulness.tolist()
    assert np.ptp(agency.ads.brightness) > 0.3


def test_the_features_of_the_pictures_tell_what_the_visitors_see(tmp_path):
    agency = files.found_agency(tmp_path, ads=60, visitors=50, seed=7)
    ads = pl.read_csv(tmp_path / "ads.csv")
    measured = picture_numbers(pl.Series([str(tmp_path / banner) for banner in ads["banner"]]))
    assert np.allclose(measured["brightness"], agency.ads.brightness, atol=1e-4)
    assert np.corrcoef(measured["colourfulness"], agency.ads.colourfulness)[0, 1] > 0.9
    assert measured["edge_density"].min() > 0


def test_visits_are_written_in_the_order_of_time_up_to_the_end(tmp_path):
    agency = files.found_agency(tmp_path, ads=2, visitors=50, seed=1)
    visits = draw_visits(agency, start=START, days=3, seed=1)
    files.write_visits(tmp_path / "visits.csv", visits)
    rows = pl.read_csv(tmp_path / "visits.csv", try_parse_dates=True)
    assert len(rows) == len(visits) > 50
    assert rows["left_at"].is_sorted()
    assert rows["left_at"].is_between(START, START + timedelta(days=3), closed="left").all()
    assert (rows["left_at"].dt.hour() == rows["hour"]).all()
    habit = pl.Series(agency.visitors.habit).gather(rows["visitor_id"].str.tail(5).cast(pl.Int64))
    assert ((rows["hour"] - habit + 12) % 24 - 12).abs().mean() < 1.5


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        files.found_agency(tmp_path / name, ads=5, visitors=50, seed=1)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.parametrize(
    ("colour", "brightness", "colourfulness"),
    [((255, 255, 255), 1.0, 0.0), ((0, 0, 0), 0.0, 0.0), ((255, 0, 0), 0.299, 1.0), ((128, 128, 128), 0.502, 0.0)],
)
def test_looks_of_plain_pictures_are_known(tmp_path, colour, brightness, colourfulness):
    from PIL import Image

    Image.new("RGB", (WIDTH, HEIGHT), colour).save(tmp_path / "b.png")
    looks = looks_of(tmp_path / "b.png")
    assert np.allclose([looks.brightness, looks.colourfulness], [brightness, colourfulness], atol=1e-3)
