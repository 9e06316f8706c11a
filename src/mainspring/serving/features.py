"""Finds what rows lack of the features of views: the use case that workers and the shadow process share.

Nothing of it is loaded, and no store opened, before a release has views.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.serving.batcher import LARGE
from mainspring.serving.meters import Meters
from mainspring.serving.orders import FeatureOrders

if TYPE_CHECKING:
    from mainspring.domain.ports_features import ViewId
    from mainspring.serving.feature_rows import ReleaseViews
    from mainspring.serving.feature_store import FeatureStore


class Features:
    """Args:
    orders: what the parent wants.
    meters: told what was found, and how long that took.
    """

    def __init__(self, orders: FeatureOrders, meters: Meters, clock: Clock = SYSTEM_CLOCK) -> None:
        self._orders = orders
        self._meters = meters
        self._clock = clock

    @property
    def trouble(self) -> str:
        """Why the online store does not answer; empty where it does, or was never asked."""
        return self._store.trouble if "_store" in self.__dict__ else ""

    async def found(self, views: "ReleaseViews", rows: list[Any]) -> list[Any]:
        """The rows with what they lacked; the same list where they lacked nothing.

        Raises:
            InvalidInput: a row has neither a feature nor the key to find it by, or training never saw it missing.
            Unavailable: that, because the store does not answer.
        """
        large = len(rows) >= LARGE
        wanted = await asyncio.to_thread(views.wanted, rows) if large else views.wanted(rows)
        if not wanted:
            return rows
        began = perf_counter()
        vectors = await self._store.read([one.asked for one in wanted])
        self._meters.features_read(perf_counter() - began)
        now = self._store.now()
        if large:
            filled, counts = await asyncio.to_thread(views.filled, rows, wanted, vectors, now)
        else:
            filled, counts = views.filled(rows, wanted, vectors, now)
        self._meters.features_found(counts)
        return filled

    def found_now(self, views: "ReleaseViews", rows: list[Any]) -> list[Any]:
        """As `found`, for as long as the store takes; for those whom nobody waits for."""
        wanted = views.wanted(rows)
        if not wanted:
            return rows
        vectors = self._store.read_patiently([one.asked for one in wanted])
        filled, counts = views.filled(rows, wanted, vectors, self._store.now())
        self._meters.features_found(counts)
        return filled

    def warm(self, views: "ReleaseViews") -> None:
        """Open the store, so that no request has to wait for it; blocks."""
        nobody = b""
        for _ in range(2):  # the first reads the file, or connects
            self._store.read_patiently([(view, [nobody]) for view in views.ids])

    def known_until(self, views: Mapping["ViewId", str]) -> dict[str, int]:
        """By view's name, up to when its rows are in the store, in microseconds since the epoch; blocks.

        Args:
            views: names by id. One that the store does not know is left out.

        Raises:
            StoreError: the store does not answer.
        """
        from mainspring.features.freshness import decode_mark

        found = {views[view]: decode_mark(mark) for view, mark in self._store.marks(views).items()}
        return {name: mark.until for name, mark in found.items() if mark is not None and mark.until is not None}

    def close(self) -> None:
        """Give the store back."""
        if "_store" in self.__dict__:
            self._store.close()

    @cached_property
    def _store(self) -> "FeatureStore":
        from mainspring.features.online.opening import open_online
        from mainspring.serving.feature_store import FeatureStore

        url = self._orders.url
        return FeatureStore(
            lambda seconds: open_online(url, timeout=seconds),
            inline=url.startswith("sqlite:"),
            timeout=self._orders.timeout,
            clock=self._clock,
        )


def ids_of(views: "Iterable[ReleaseViews | None]") -> "dict[ViewId, str]":
    """The names of these views by their ids."""
    return {view: name for one in views if one is not None for view, name in one.ids.items()}
