"""Brings the hourly sketches and samples up to the prediction log: each row once, however often it is broken off.

Both tables carry, written in one commit with their rows, how many versions of the log they have taken in. Mostly
only the rows that came since are read. Where that is not to be told (at first, or after a pause of more than a
week, when the log has forgotten its versions) the whole log is read, a day a commit. Sketches of such a reading
have its number, the generation, and a mark for each day that was read: whatever the day has of earlier generations
does not count. A day that the log no longer has keeps its sketches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import polars as pl

from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import predictions_table
from mainspring.domain.release import Manifest
from mainspring.errors import HistoryGone
from mainspring.monitoring.hours.ages import HOURLY
from mainspring.monitoring.hours.log_batches import batches
from mainspring.monitoring.hours.rollup import roll_up, rolled_up
from mainspring.monitoring.hours.samples import drawn, samples_table, smallest
from mainspring.monitoring.hours.sketch_rows import profiles_table, void_row
from mainspring.monitoring.hours.sketches import HourSketches

# Applications of the two tables, and what their places count.
_TAKEN = "predictions"  # versions of the log that were taken in
_REBUILD = "rebuild"  # versions of the log as it is, or was last, read as a whole: the generation


def update_hours(
    tables: Tables,
    model: str,
    manifests: Mapping[int, Manifest],
    *,
    now: datetime,
    slices: Sequence[tuple[str, ...]] = (),
) -> int:
    """Take in what came to the prediction log since the last time.

    Rows count in the hour of their own time, also where they come late. Answers of a release that is not among
    the manifests are counted, but their inputs are not sketched; nor is what is tagged as a person's.

    Args:
        manifests: by number, of all releases that may have answered.
        slices: combinations of inputs by whose values sketches are made as well, from now on.

    Returns:
        How many rows the sketches took in.

    Raises:
        StoreError: another process takes in the same log.
    """
    if not tables.exists(predictions_table(model)):
        return 0
    rows = _Sketches(tables, model, manifests, now, slices).take_in()
    _Samples(tables, model, now).take_in()
    roll_up(tables, model, now)
    return rows


def has_news(tables: Tables, model: str) -> bool:
    """Whether there is anything in the prediction log that the sketches have not taken in."""
    taken = tables.offset(profiles_table(model), _TAKEN)
    return tables.has_grown(predictions_table(model), since=taken - 1)


class _Book(ABC):
    """One of the two tables, and how far it has come."""

    def __init__(self, tables: Tables, model: str, table: str, now: datetime) -> None:
        self.tables = tables
        self.now = now
        self.log = predictions_table(model)
        self.table = table

    @abstractmethod
    def rows_of(
        self, found: Iterable[pl.DataFrame], generation: int, anew: date | None = None, /
    ) -> tuple[pl.DataFrame, int]:
        """What the table gets of batches of the log, and of how many rows.

        Args:
            anew: the day that was read as a whole.
        """

    def take_in(self) -> int:
        taken = self.tables.offset(self.table, _TAKEN)
        if taken == 0:
            return self._rebuild(taken)
        try:
            added, newest = self.tables.added(self.log, taken - 1)
        except HistoryGone:
            return self._rebuild(taken)
        if newest + 1 == taken:
            return 0
        generation = self.tables.offset(self.table, _REBUILD)
        frame, rows = self.rows_of(batches(added), generation)
        self._record(frame, {_TAKEN: (taken, newest + 1)})
        return rows

    def _rebuild(self, taken: int) -> int:
        """Read the whole log, or go on with that."""
        generation = self.tables.offset(self.table, _REBUILD)
        if generation <= taken or not self._goes_on(generation):
            before, generation = generation, self.tables.version(self.log) + 1
            self._record(self.rows_of([], generation)[0], {_REBUILD: (before, generation)})
        scan = self.tables.scan(self.log, generation - 1)
        through = f"days of {generation}"
        done = self.tables.offset(self.table, through)
        rows = 0
        for text in self.tables.partitions(self.log):
            day = date.fromisoformat(text)
            if day.toordinal() <= done:
                continue
            frame, count = self.rows_of(batches(scan.filter(pl.col("day") == day)), generation, day)
            if count:  # else its rows came after this version, and it may have had others that were dropped
                self._record(frame, {through: (done, day.toordinal())})
                done = day.toordinal()
                rows += count
        offsets = {_TAKEN: (taken, generation)}
        if taken == 0:  # nothing was there that is still by the hour
            offsets |= rolled_up(self.tables, self.table, self.now)
        self._record(self.rows_of([], generation)[0], offsets)
        return rows

    def _goes_on(self, generation: int) -> bool:
        """Whether the log still knows what came after the version that was being read."""
        try:
            self.tables.added(self.log, generation - 1)
        except HistoryGone:
            return False
        return True

    def _record(self, frame: pl.DataFrame, offsets: Mapping[str, tuple[int, int]]) -> None:
        self.tables.record(self.table, frame, partition="day", offsets=offsets)


class _Sketches(_Book):
    def __init__(
        self,
        tables: Tables,
        model: str,
        manifests: Mapping[int, Manifest],
        now: datetime,
        slices: Sequence[tuple[str, ...]],
    ) -> None:
        super().__init__(tables, model, profiles_table(model), now)
        self._manifests = manifests
        self._slices = slices

    def rows_of(
        self, found: Iterable[pl.DataFrame], generation: int, anew: date | None = None, /
    ) -> tuple[pl.DataFrame, int]:
        sketches = HourSketches(
            self._manifests,
            self.tables.columns(self.log),
            generation=generation,
            now=self.now,
            slices=self._slices,
        )
        rows = 0
        for batch in found:
            sketches.add(batch)
            rows += batch.height
        frame = sketches.frame()
        return frame if anew is None else pl.concat([frame, void_row(anew, generation)]), rows


class _Samples(_Book):
    def __init__(self, tables: Tables, model: str, now: datetime) -> None:
        super().__init__(tables, model, samples_table(model), now)

    def rows_of(
        self, found: Iterable[pl.DataFrame], _generation: int, _anew: date | None = None, /
    ) -> tuple[pl.DataFrame, int]:
        # A row that is drawn again when a day is read anew is the same row: nothing has to be void.
        by_day_before = (self.now - HOURLY).date()
        kept = drawn(self.tables.scan(self.log).head(0).collect())
        rows = 0
        for batch in found:
            kept = smallest(pl.concat([kept, drawn(batch, by_day_before)]))
            rows += batch.height
        return kept, rows
