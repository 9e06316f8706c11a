"""Keeps tables that grow all the time quick to read: merges small files, drops what is too old, cleans up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from mainspring.clock import Clock
from mainspring.data.past_days import merge_past_days
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import labels_table, predictions_table

_LOG = logging.getLogger("mainspring.gateway")
_OFTEN, _SELDOM = 60.0, 3600.0  # seconds between two looks at today's files, and at everything
_SMALL_TODAY, _MANY_TODAY = 8 << 20, 40  # bytes; files
PREDICTION_LOG = (predictions_table("").rstrip("/"), labels_table("").rstrip("/"))


class Upkeep:
    """Args:
    keep_days: days of rows that are kept; `None` keeps them for ever.
    folders: of the tables.
    """

    def __init__(
        self, tables: Tables, clock: Clock, keep_days: int | None, *, folders: Sequence[str] = PREDICTION_LOG
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._keep_days = keep_days
        self._folders = folders
        self._written: set[str] = set()
        self._next_often = clock.monotonic() + _OFTEN
        self._next_seldom = self._next_often

    def written(self, table: str) -> None:
        """A table got rows."""
        self._written.add(table)

    def step(self) -> None:
        """Do what is due; what fails is told, and tried again at the next time."""
        now = self._clock.monotonic()
        if now >= self._next_often:
            self._next_often = now + _OFTEN
            for table in sorted(self._written):
                self._attempt(self.merge_today, table)
            self._written.clear()
        if now >= self._next_seldom:
            self._next_seldom = now + _SELDOM
            for table in self._all():
                self._attempt(self.tend, table)

    def merge_today(self, table: str) -> None:
        """Merge the day's small files where there are many."""
        today = self._clock.now().date().isoformat()
        self._tables.compact(table, today, smaller_than=_SMALL_TODAY, at_least=_MANY_TODAY)

    def tend(self, table: str) -> None:
        """Merge the files of days that are over, drop days that are too old, and remove what nobody needs."""
        today = self._clock.now().date()
        if self._keep_days is not None:
            dropped = self._tables.drop(table, before=(today - timedelta(days=self._keep_days)).isoformat())
            if dropped:
                _LOG.info("%d days of %s were dropped, being older than %d days", dropped, table, self._keep_days)
        merge_past_days(self._tables, table, today)
        self._tables.tidy(table)

    def _all(self) -> list[str]:
        return [name for folder in self._folders for name in self._tables.names(folder)]

    def _attempt(self, work: Callable[[str], None], table: str) -> None:
        try:
            work(table)
        except Exception as error:
            _LOG.error("the table %s could not be tended: %s", table, error)
