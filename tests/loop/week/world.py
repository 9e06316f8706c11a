"""The shop of the simulated week: who comes, what they buy, and when their taste turns round."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mainspring.testing.shop import MODEL, make_shop

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
ROWS = 40
"""Requests an hour."""

# The customers come at half past, and trainings begin at the full hour. So no step of a rollout is due near a
# half-hour, no rollout ends near a full one, and each step waits for its time and not for its requests, of which a
# single hour brings enough: what follows rests on the same rows also where kills have made it late. How fast a
# challenger answers is no matter here: the machine has other work.
_POLICY = """
    positive="yes",
    label_delay="1h",
    monitors=[
        Monitor.drift(window="3h", min_rows=60),
        Monitor.performance("log_loss", margin=0.1, window="3h", min_rows=60),
    ],
    rollout=Rollout(
        shadow="100m",
        canary=Canary([50], each="55m"),
        bake="35m",
        min_requests=10,
        promote="not_worse",
        margin=0.25,
        latency=1000.0,
    ),
    retrain=Retrain(
        schedule="0 6 * * *", on=["drift", "performance"], cooldown="100m", windows=["all", "480 rows"]
    ),
"""
_SETTINGS = """name = "shop"
[run]
budget = "1 trial"
[log]
commit_every = "200ms"
"""


@dataclass(frozen=True)
class World:
    """What happens outside, the same at every play.

    Attributes:
        first, hours: of the week.
        turns: the hour from which on the customers are others and want something else.
    """

    first: int
    hours: int
    turns: int

    def visitors(self, hour: int) -> tuple[list[dict[str, object]], list[str]]:
        """Who comes in this hour, as requests, and whether each of them buys."""
        random = np.random.default_rng([7, hour])
        after = hour >= self.turns
        age = random.integers(18, 80, ROWS)
        spend = random.gamma(4.0 if after else 2.0, 20.0, ROWS).round(2)
        city = random.choice(["Ulm", "Köln", "Bonn"], ROWS)
        taste = -1.0 if after else 1.0
        log_odds = taste * 2.0 * ((age - 49) / 18 + (spend - 40) / 28 * 0.5 + (city == "Ulm") * 0.7)
        bought = random.random(ROWS) < 1 / (1 + np.exp(-log_odds))
        rows: list[dict[str, object]] = [
            {"id": f"w{hour:03d}-{n:02d}", "age": int(age[n]), "spend": float(spend[n]), "city": str(city[n])}
            for n in range(ROWS)
        ]
        return rows, ["yes" if one else "no" for one in bought]


def make_project(folder: Path) -> Path:
    """The shop with the whole loop declared, before its first run."""
    make_shop(folder)
    text = MODEL.replace(
        "import Gate, Model, Source", "import Canary, Gate, Model, Monitor, Retrain, Rollout, Source"
    )
    text = text.replace(', Gate("log_loss", no_worse_than="champion", margin=0.05)', "")
    assert 'task="binary",' in text
    (folder / "model.py").write_text(text.replace('task="binary",', 'task="binary",' + _POLICY))
    (folder / "mainspring.toml").write_text(_SETTINGS)
    return folder
