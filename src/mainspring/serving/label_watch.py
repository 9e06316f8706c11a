"""Looks now and then how many predictions have a label by now, for the metrics. Runs in the drainer."""

from __future__ import annotations

import logging
from datetime import timedelta

from mainspring.clock import Clock
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import predictions_table
from mainspring.serving.log_state import LabelState

_LOG = logging.getLogger("mainspring.gateway")
_WINDOW = timedelta(days=7)
_EVERY = 60.0  # seconds between two looks
_SPARING = 50  # times as long as a look took, the next one is waited for


class LabelWatch:
    """Counts labels, also those that others than this gateway stored.

    Attributes:
        found: by model, as it was at the last look.
    """

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self.found: dict[str, LabelState] = {}
        self._tables = tables
        self._clock = clock
        self._next = clock.monotonic() + _EVERY

    def step(self) -> None:
        """Look, if it is time to; what fails is told, and tried again at the next time."""
        began = self._clock.monotonic()
        if began < self._next:
            return
        try:
            self.look()
        except Exception:
            _LOG.exception("the labels could not be counted")
        ended = self._clock.monotonic()
        self._next = ended + max(_EVERY, _SPARING * (ended - began))

    def look(self) -> None:
        """Count the labels of all models' predictions of the last week."""
        from mainspring.data.coverage import coverage

        prefix = predictions_table("")
        models = [name.removeprefix(prefix) for name in self._tables.names(prefix.rstrip("/"))]
        found = {}
        for model in models:
            of = coverage(self._tables, model, now=self._clock.now(), window=_WINDOW)
            if of.share is not None:
                found[model] = LabelState(of.predictions, of.share, of.delay_median, of.delay_90)
        self.found = found
