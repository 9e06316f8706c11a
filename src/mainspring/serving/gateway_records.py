"""The records as the gateway's parent needs them: as a first look has found them, and then as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.clock import Clock
    from mainspring.domain.access import ApiKey
    from mainspring.domain.ports import Records
    from mainspring.domain.routing import Routes
    from mainspring.stores.records_first_look import FirstLook

_LASTS = 5.0  # seconds; as long as a worker may take to get warm


class RecordsAfterFirstLook:
    """Opens the records when the first worker says that it lives, or after some seconds: answers come first.

    Args:
        first: what is told until then; the records are opened at once where there is none.
        opened: gives the records.
    """

    def __init__(self, first: FirstLook | None, opened: Callable[[], Records], clock: Clock) -> None:
        self._first = first
        self._opened = opened
        self._opening = Lock()  # heartbeats come from a thread of their own
        self._clock = clock
        self._until = clock.monotonic() + _LASTS

    def routes(self) -> Routes:
        first = self._valid()
        return self._records().routes() if first is None else first.routes

    def api_keys(self) -> Sequence[ApiKey]:
        first = self._valid()
        return self._records().api_keys() if first is None else first.api_keys

    def heartbeat(
        self,
        worker: str,
        gateway: str,
        generation: int,
        *,
        ttl: float,
        behind: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._first = None
        self._records().heartbeat(worker, gateway, generation, ttl=ttl, behind=behind)

    def forget_worker(self, worker: str) -> None:
        self._first = None
        self._records().forget_worker(worker)

    def _records(self) -> Records:
        with self._opening:
            return self._opened()

    def _valid(self) -> FirstLook | None:
        if self._first is not None and self._clock.monotonic() >= self._until:
            self._first = None
        return self._first
