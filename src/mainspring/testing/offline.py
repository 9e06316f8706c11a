"""A folder with sources of feature views and the stores that their rows are kept in, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from mainspring.clock import SYSTEM_CLOCK
from mainspring.data.snapshots import Snapshots
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.schema import Schema
from mainspring.features.push import APPLICATION, DAY, pushed_table
from mainspring.features.rows import Offline
from mainspring.stores.records import SqlRecords
from mainspring.stores.tables_delta import DeltaTables


class OfflineWorld:
    """The stores of one folder.

    Attributes:
        root: the project's folder, in which tests write sources.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        kept = root / ".mainspring"
        kept.mkdir(parents=True, exist_ok=True)
        self.tables = DeltaTables(str(kept / "tables"))
        self.records = SqlRecords(f"sqlite:///{kept / 'records.db'}")
        self.snapshots = Snapshots(self.tables, self.records, SYSTEM_CLOCK)

    def offline(self, like: Schema | None = None) -> Offline:
        """Opened anew, as another process would."""
        return Offline(
            snapshots=self.snapshots,
            tables=self.tables,
            root=self.root,
            like=like,
        )

    def write(self, name: str, rows: pl.DataFrame) -> None:
        """A source: `.csv` or `.parquet`."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            rows.write_csv(path)
        else:
            rows.write_parquet(path)

    def push(self, view: FeatureView, rows: pl.DataFrame) -> None:
        """Rows as the gateway's drainer stores them; they have the columns of the view's source."""
        table = pushed_table(view.name)
        first = self.tables.offset(table, APPLICATION)
        numbers = pl.int_range(first, first + rows.height, eager=True)
        now = SYSTEM_CLOCK.now()
        stored = rows.with_columns(
            pl.lit(now.date()).alias(DAY),
            numbers.cast(pl.String).alias("__message"),
            pl.lit(now, pl.Datetime("us", "UTC")).alias("__pushed_at"),
            numbers.alias("__number"),
        )
        offsets = {APPLICATION: (first, first + rows.height)}
        self.tables.record(table, stored, partition=DAY, offsets=offsets)


@contextmanager
def offline_world(root: Path) -> Iterator[OfflineWorld]:
    """The stores of a folder, closed at the end."""
    world = OfflineWorld(root)
    try:
        yield world
    finally:
        world.records.close()
