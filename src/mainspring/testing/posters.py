"""A small project whose features come from views: posters by their picture, visitors by what they looked at."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

MODEL = """
import features
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring import Aggregation, FeatureView, Gate, Model, RequestFeatures, Source

ads = Source("ads.csv", key="ad_id", time="drawn_at")
visits = Source("visits.csv", time="at")

creative = FeatureView("creative", source=ads, key="ad_id", created="known_at", defaults={"brightness": 0.5})
visitor = FeatureView(
    "visitor", source=visits, key="visitor",
    aggregations=[Aggregation("count", over="7d"), Aggregation("mean", "pages", over="7d")],
)


@creative.features
def brightness(ads):
    return 1 - ads["ink"] / 128


model = Model(
    "posters",
    source=Source("rows.csv", key="id", time="shown_at"),
    target="bought",
    task="binary",
    features=[
        "device", creative["brightness"], visitor["count_7d"], visitor["mean_pages_7d"],
        RequestFeatures(features.on_the_clock, inputs=["hour"], outputs=["hour_sin", "hour_cos"]),
    ],
    gates=[Gate("roc_auc", better_than="naive")],
)


@model.candidate
def logistic(trial):
    columns = ["creative.brightness", "visitor.count_7d", "visitor.mean_pages_7d", "hour_sin", "hour_cos"]
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), columns),
            ("device", OneHotEncoder(handle_unknown="ignore"), ["device"]),
        ]
    )
    return make_pipeline(encode, LogisticRegression(C=trial.suggest_float("C", 0.1, 10, log=True)))
"""

FEATURES = """
import numpy as np


def on_the_clock(columns):
    angle = columns["hour"] / 24 * 2 * np.pi
    return {"hour_sin": np.sin(angle), "hour_cos": np.cos(angle)}
"""

START = datetime(2026, 3, 1, tzinfo=UTC)
"""Of the rows; the ads were drawn in the month before."""
_DAY = timedelta(days=1)
_ADS, _VISITORS, _DAYS = 40, 120, 20


def make_posters(folder: Path, *, rows: int = 1_200) -> Path:
    """The project in a new folder; it has no schemas yet, so its first run infers them.

    Rows are bought by the brightness that was known when they were shown, by the visits of the week before and by
    the hour. Some ads are drawn anew, of some of these it is known late only, and some rows show ads and visitors
    that no view knows.
    """
    folder.mkdir(parents=True)
    (folder / "mainspring.toml").write_text('name = "posters"\n')
    (folder / "model.py").write_text(MODEL)
    (folder / "features.py").write_text(FEATURES)
    random = np.random.default_rng(5)
    ads = _write_ads(folder / "ads.csv", random)
    visits = _write_visits(folder / "visits.csv", random)
    lines = ["id,ad_id,visitor,shown_at,hour,device,bought"]
    for number in range(rows):
        at = START + _DAY * float(random.uniform(0, _DAYS))
        ad, who = int(random.integers(0, _ADS + 2)), int(random.integers(0, _VISITORS + 4))
        device = str(random.choice(["phone", "tv"]))
        ink = [one for drawn, known, one in ads.get(ad, ()) if drawn <= at and known <= at]
        brightness = 1 - ink[-1] / 128 if ink else 0.5
        seen = sum(at - 7 * _DAY < moment <= at for moment in visits.get(who, ()))
        log_odds = 4 * (brightness - 0.5) + 0.5 * (seen - 3) + np.sin(at.hour / 24 * 2 * np.pi)
        bought = "yes" if random.random() < 1 / (1 + np.exp(-log_odds)) else "no"
        lines.append(f"r{number:05d},{ad},v{who:03d},{at:%Y-%m-%dT%H:%M:%SZ},{at.hour},{device},{bought}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return folder


def _write_ads(place: Path, random: np.random.Generator) -> dict[int, list[tuple[datetime, datetime, int]]]:
    """By ad when it was drawn, since when it is known, and its ink, in the order of time."""
    found: dict[int, list[tuple[datetime, datetime, int]]] = {}
    lines = ["ad_id,drawn_at,known_at,ink"]
    for ad in range(_ADS):
        first = START - _DAY * int(random.integers(1, 30))
        moments = [first] if ad % 3 else [first, START + _DAY * int(random.integers(2, 10))]
        for drawn in moments:
            known = drawn + _DAY * 5 if ad % 6 == 0 and drawn > START else drawn
            found.setdefault(ad, []).append((drawn, known, int(random.integers(0, 129))))
            lines.append(f"{ad},{drawn:%Y-%m-%dT%H:%M:%SZ},{known:%Y-%m-%dT%H:%M:%SZ},{found[ad][-1][2]}")
    place.write_text("\n".join(lines) + "\n")
    return found


def _write_visits(place: Path, random: np.random.Generator) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    lines = ["visitor,at,pages"]
    for number in range(_VISITORS * 12):
        who, at = number % _VISITORS, START + _DAY * float(random.uniform(-10, _DAYS))
        found.setdefault(who, []).append(at.replace(microsecond=0))
        lines.append(f"v{who:03d},{at:%Y-%m-%dT%H:%M:%SZ},{int(random.integers(1, 9))}")
    place.write_text("\n".join(lines) + "\n")
    return found
