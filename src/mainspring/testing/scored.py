"""Score jobs of a watched model as a `score` leaves them, for tests of what looks at them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from mainspring.domain.ports import Tables
from mainspring.monitoring.jobs.job import Job
from mainspring.monitoring.jobs.watcher import JobWatcher
from mainspring.testing.clock import FakeClock
from mainspring.testing.watched import Watched


def a_job(
    shop: Watched,
    rows: pl.DataFrame,
    at: datetime,
    *,
    release: int = 1,
    parts: int = 1_000,
    name: str = "out.parquet",
    tables: Tables | None = None,
) -> Job:
    """Score rows at this time, so many to a part.

    Args:
        rows: of the shop; with a column `impression_id` where they have a key.
        tables: in place of the shop's.
    """
    watcher = JobWatcher(tables or shop.tables, shop.manifests[release], FakeClock(at), name=name)
    with TemporaryDirectory() as folder:
        watcher.begin(Path(folder))
        places = []
        for start in range(0, rows.height, parts):
            part = rows.slice(start, parts)
            places.append(Path(folder) / f"{start}.kept")
            watcher.part(places[-1], start, part, shop.outputs(part, release))
        watcher.end(places, rows.height)
    assert watcher.job is not None
    return watcher.job
