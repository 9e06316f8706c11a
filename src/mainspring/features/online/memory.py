"""Online features in this process's memory: for tests, and for what ends with the process."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.features.online.fencing import overtaken


@dataclass(slots=True)
class _View:
    vectors: dict[EntityKey, Vector] = field(default_factory=dict)
    fence: int = 0
    mark: bytes | None = None


class MemoryStore:
    """Keeps the law of `OnlineStore` within one process."""

    def __init__(self) -> None:
        self._views: dict[ViewId, _View] = {}
        self._lock = threading.Lock()

    def read(self, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]) -> list[list[Vector | None]]:
        with self._lock:
            found = [(self._views[view].vectors if view in self._views else {}, keys) for view, keys in asked]
            return [[vectors.get(key) for key in keys] for vectors, keys in found]

    def write(self, view: ViewId, vectors: Iterable[tuple[EntityKey, Vector]], *, fence: int) -> int:
        given = list(vectors)
        with self._lock:
            self._fenced(view, fence).vectors.update(given)
        return len(given)

    def remove(self, view: ViewId, keys: Iterable[EntityKey], *, fence: int) -> None:
        given = list(keys)
        with self._lock:
            vectors = self._fenced(view, fence).vectors
            for key in given:
                vectors.pop(key, None)

    def drop(self, view: ViewId) -> None:
        with self._lock:
            self._views.pop(view, None)

    def count(self, view: ViewId) -> int:
        with self._lock:
            return len(self._views[view].vectors) if view in self._views else 0

    def mark(self, view: ViewId, mark: bytes, *, fence: int) -> None:
        with self._lock:
            self._fenced(view, fence).mark = mark

    def marked(self, view: ViewId) -> bytes | None:
        with self._lock:
            return self._views[view].mark if view in self._views else None

    def close(self) -> None:
        """Nothing to let go: who still holds it may go on."""

    def _fenced(self, view: ViewId, fence: int) -> _View:
        kept = self._views.setdefault(view, _View())
        if fence < kept.fence:
            raise overtaken(view)
        kept.fence = fence
        return kept
