"""The small shop in production: its answers and what came true of them, for tests of what a retraining learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.testing.production import store_answers, store_labels
from mainspring.workspace import Workspace

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Visits:
    """Visitors of the shop, an equal time apart.

    Attributes:
        rows: age, spend and city.
        truth: what each did, `yes` or `no`.
    """

    ids: list[str]
    at: list[datetime]
    rows: pl.DataFrame
    truth: list[str]

    @property
    def end(self) -> datetime:
        return self.at[-1]


def visits(
    count: int,
    *,
    start: datetime = START,
    first: int = 0,
    seed: int = 7,
    strength: float = 2.0,
    every: timedelta = timedelta(minutes=1),
) -> Visits:
    """Visitors under the law of `testing.shop.write_rows`; with another sign of `strength` it is turned round."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, count)
    spend = random.gamma(2.0, 20.0, count).round(2)
    city = random.choice(["Ulm", "Köln", "Bonn"], count)
    log_odds = strength * ((age - 49) / 18 + (spend - 40) / 28 * 0.5 + (city == "Ulm") * 0.7)
    bought = random.random(count) < 1 / (1 + np.exp(-log_odds))
    return Visits(
        ids=[f"v{first + number:06d}" for number in range(count)],
        at=[start + number * every for number in range(count)],
        rows=pl.DataFrame({"age": age, "spend": spend, "city": city}),
        truth=["yes" if one else "no" for one in bought],
    )


def answer(workspace: Workspace, asked: Visits, *, number: int = 1) -> Manifest:
    """Have a release of the shop answer them, as a gateway's drainer would store it."""
    with workspace.open_release(workspace.catalogue.find(ReleaseRef("shop", number))) as opened:
        outputs, manifest = opened.runtime.predict_frame(asked.rows), opened.manifest
    store_answers(workspace.tables, manifest, asked.rows, outputs, asked.at, asked.ids)
    return manifest


def tell(workspace: Workspace, manifest: Manifest, ids: Sequence[str], truth: Sequence[str], at: datetime) -> None:
    """Say what came true of some of them."""
    store_labels(workspace.tables, manifest, ids, truth, at)


def with_retrain(shop: Path, declared: str = "Retrain()") -> None:
    """Declare a `Retrain` in the shop's `model.py`."""
    text = (shop / "model.py").read_text()
    text = text.replace("import Gate, Model, Source", "import Gate, Model, Retrain, Source")
    (shop / "model.py").write_text(text.replace('task="binary",', f'task="binary", retrain={declared},'))
