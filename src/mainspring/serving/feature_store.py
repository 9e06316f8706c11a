"""The online store as those who answer see it: within a time limit, and failing no request by itself.

What a process has read before is kept for when the store does not answer. A store that failed is asked again by
one request a second, so that no other waits for it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.ports_features import EntityKey, OnlineStore, Vector, ViewId
from mainspring.errors import MainspringError
from mainspring.serving.kept_vectors import KeptVectors

_LOG = logging.getLogger("mainspring.gateway")
_KEPT = 32 << 20  # bytes of vectors that a process keeps
_THREADS = 4
_FEW = 32  # keys that may be read without a thread
_QUICK = 0.0001  # seconds that this takes at most, on average
_WEIGHT = 0.1  # of the newest reading in the average
_MARK_HOLDS = 1.0  # seconds for which it is believed that a view is in the store, or that it is not
_TELL_EVERY = 10.0  # seconds between two lines of the log about a store that fails
_REST = 1.0  # seconds for which a store that failed is asked nothing
_LONGEST = 5.0  # seconds after which a read ends by itself

Asked = Sequence[tuple[ViewId, Sequence[EntityKey]]]
# By view, as asked: the vector of each entity, and whether the store said so. What it did not say is what was
# known before, and `None` where nothing was.
Vectors = list[list[tuple[Vector | None, bool]]]


class FeatureStore:
    """Reads vectors.

    Args:
        open_store: opens the online store, given the seconds that a read may take; it is called at the first read.
        inline: a few vectors may be read in the event loop, as long as that is quick: the store is a local file.
        timeout: seconds that a request waits for it.

    Attributes:
        trouble: why the store does not answer; empty where it does.
    """

    def __init__(
        self,
        open_store: Callable[[float], OnlineStore],
        *,
        inline: bool,
        timeout: float,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.trouble = ""
        self._open = open_store
        self._inline = inline
        self._timeout = timeout
        self._clock = clock
        self._store: OnlineStore | None = None
        self._opening = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="features")
        self._kept = KeptVectors(_KEPT)
        self._probing = False
        self._usual: float | None = None  # seconds of reading a few, on average
        self._marks: dict[ViewId, tuple[bool, float]] = {}
        self._told_at = -_TELL_EVERY
        self._again_at = 0.0

    def now(self) -> int:
        """Microseconds since the epoch."""
        return int(self._clock.now().timestamp() * 1e6)

    async def read(self, asked: Asked) -> Vectors:
        """The vectors of these entities, within the time limit."""
        if self.trouble:
            if self._probing or self._clock.monotonic() < self._again_at:
                return self._known(asked)
            self._probing = True
        elif self._inline and self._usual is not None and self._usual <= _QUICK and _count(asked) <= _FEW:
            return self._read(asked)
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._read, asked)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(future)
        except TimeoutError:
            self._fail(f"the online store takes longer than {self._timeout * 1000:g} ms")
            return self._known(asked)

    def read_patiently(self, asked: Asked) -> Vectors:
        """As `read`, for as long as the store takes; of one that failed just now nothing is asked."""
        if self.trouble and self._clock.monotonic() < self._again_at:
            return self._known(asked)
        return self._read(asked)

    def _read(self, asked: Asked) -> Vectors:
        try:
            store = self._store or self._opened()
            began = perf_counter()
            found = store.read(asked)
            seconds = perf_counter() - began
            gone = [
                None in vectors and not self._is_marked(store, view) for (view, _), vectors in _both(asked, found)
            ]
        except Exception as error:  # whatever a store does wrong, the request is answered
            self._fail(str(error) if isinstance(error, MainspringError) else f"{type(error).__name__}: {error}")
            return self._known(asked)
        finally:
            self._probing = False
        if _count(asked) <= _FEW:
            usual = seconds if self._usual is None else self._usual
            self._usual = usual + _WEIGHT * (seconds - usual)
        if self.trouble and seconds <= self._timeout:
            _LOG.info("the online store answers again")
            self.trouble = ""
        result: Vectors = []
        for ((view, keys), vectors), is_gone in zip(_both(asked, found), gone, strict=True):
            if is_gone:  # it was flushed, or never filled: nothing is known of those who are not there
                kept = self._kept.get(view, keys)
                pairs = zip(vectors, kept, strict=True)
                result.append([(old, False) if new is None else (new, True) for new, old in pairs])
            else:
                self._kept.put(view, keys, vectors)
                result.append([(vector, True) for vector in vectors])
        return result

    def marks(self, views: Iterable[ViewId]) -> dict[ViewId, bytes | None]:
        """How far these views are materialised. Blocks; raises `StoreError`."""
        store = self._store or self._opened()
        return {view: store.marked(view) for view in views}

    def close(self) -> None:
        """Give everything back, without waiting for a store that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._store is not None and not self.trouble:
            self._store.close()

    def _opened(self) -> OnlineStore:
        with self._opening:
            if self._store is None:
                self._store = self._open(_LONGEST)
            return self._store

    def _is_marked(self, store: OnlineStore, view: ViewId) -> bool:
        now = self._clock.monotonic()
        known = self._marks.get(view)
        if known is None or now - known[1] > _MARK_HOLDS:
            known = self._marks[view] = store.marked(view) is not None, now
        return known[0]

    def _known(self, asked: Asked) -> Vectors:
        return [[(vector, False) for vector in self._kept.get(view, keys)] for view, keys in asked]

    def _fail(self, trouble: str) -> None:
        self.trouble = trouble
        now = self._clock.monotonic()
        self._again_at = now + _REST
        if now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            _LOG.error("features are what was last known, or defaults: %s", trouble)


def _count(asked: Asked) -> int:
    return sum(len(keys) for _, keys in asked)


def _both(
    asked: Asked, found: Sequence[Sequence[Vector | None]]
) -> "zip[tuple[tuple[ViewId, Sequence[EntityKey]], Sequence[Vector | None]]]":
    return zip(asked, found, strict=True)
