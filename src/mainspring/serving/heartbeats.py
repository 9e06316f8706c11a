"""Tells the records which workers live and what they answer by; in a thread, since a database may be locked."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.clock import Clock
    from mainspring.domain.ports_gateway import GatewayRecords
    from mainspring.serving.reports import Report

_LOG = logging.getLogger("mainspring.gateway")
_EVERY = 2.0  # seconds, where there is nothing new to tell
_TTL = 10.0  # seconds after its last report for which a worker counts as live


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of a worker last."""

    generation: int
    behind: dict[str, int]
    at: float
    writing: Future[None]


class Heartbeats:
    """Of one gateway's workers.

    Args:
        gateway: its name in the records.
    """

    def __init__(self, records: GatewayRecords, gateway: str, clock: Clock) -> None:
        self._records = records
        self._gateway = gateway
        self._clock = clock
        self._told: dict[int, _Told] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heartbeats")
        self._trouble = ""

    def lives(self, slot: int, report: Report) -> None:
        """Tell it, if that is new or due; no more than one is ever under way for a worker."""
        now, last = self._clock.monotonic(), self._told.get(slot)
        if last is not None:
            is_known = (report.generation, report.behind) == (last.generation, last.behind)
            if not last.writing.done() or (is_known and now - last.at < _EVERY):
                return
        writing = self._thread.submit(self._write, slot, report)
        self._told[slot] = _Told(report.generation, report.behind, now, writing)

    def ended(self, slot: int) -> None:
        """The worker is gone."""
        if self._told.pop(slot, None) is not None:
            self._thread.submit(self._forget, slot)

    def close(self) -> None:
        """Wait until all is told."""
        self._thread.shutdown()

    def _write(self, slot: int, report: Report) -> None:
        try:
            self._records.heartbeat(
                self._name(slot), self._gateway, report.generation, ttl=_TTL, behind=report.behind
            )
        except MainspringError as error:
            if str(error) != self._trouble:
                _LOG.error("a heartbeat was not written: %s", error)
            self._trouble = str(error)
        except Exception:  # a fault of ours, which nobody else would hear of
            _LOG.exception("a heartbeat was not written")
        else:
            self._trouble = ""

    def _forget(self, slot: int) -> None:
        try:
            self._records.forget_worker(self._name(slot))
        except MainspringError as error:
            _LOG.error("the records do not know that worker %d is gone: %s", slot, error)

    def _name(self, slot: int) -> str:
        return f"{self._gateway}/{slot}"
