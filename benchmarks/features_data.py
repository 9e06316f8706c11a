"""Three views of made-up rows, events to join them to, and the project that declares them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

VIEWS, FEATURES = 3, 10
KEYS = 50_000
COMPARED = 25  # of so many entities one is compared with what Feast says of it online
DAYS = 90
TTL_DAYS = 365
_MICROSECONDS = 86_400_000_000

MODEL = """from mainspring import FeatureView, Model, Source

events = Source("events.parquet", key="event_id", time="event_timestamp")
views = [
    FeatureView(
        f"view_{number}",
        source=Source(f"view_{number}.parquet", time="event_timestamp"),
        key="entity",
        created="created",
        ttl="365d",
    )
    for number in range(3)
]
view_0, view_1, view_2 = views
features = [view[f"f{place}"] for view in views for place in range(10)]
model = Model("events", source=events, target="label", features=features)


@model.candidate
def nothing(trial):
    raise NotImplementedError("this project is joined, not trained")
"""


def make_project(folder: Path, rows: int, events: int) -> None:
    """A project whose views have so many rows each. Rows are known an hour at most after they happened."""
    folder.mkdir(parents=True, exist_ok=True)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    for number in range(VIEWS):
        _view(rows, number, end).write_parquet(folder / f"view_{number}.parquet")
    random = np.random.default_rng(99)
    pl.DataFrame(
        {
            "event_id": np.arange(events),
            "entity": random.integers(0, KEYS, events),
            "event_timestamp": _moments(random, events, end),
            "label": random.integers(0, 2, events),
        }
    ).write_parquet(folder / "events.parquet")
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    (folder / "mainspring.toml").write_text('name = "features"\n', encoding="utf-8")


def _view(rows: int, number: int, end: datetime) -> pl.DataFrame:
    random = np.random.default_rng(number)
    happened = _moments(random, rows, end)
    delay = pl.Series(random.integers(0, 3_600_000_000, rows)).cast(pl.Duration("us"))
    return pl.DataFrame(
        {
            # Each entity comes once at least, so that all of them are materialised.
            "entity": np.concatenate([np.arange(KEYS), random.integers(0, KEYS, rows - KEYS)]),
            "event_timestamp": happened,
            "created": happened + delay,
            **{f"f{place}": random.normal(size=rows) for place in range(FEATURES)},
        }
    )


def _moments(random: np.random.Generator, count: int, end: datetime) -> pl.Series:
    ago = pl.Series(random.integers(0, DAYS * _MICROSECONDS, count)).cast(pl.Duration("us"))
    return pl.select(pl.lit(end).cast(pl.Datetime("us", "UTC")) - ago).to_series()
