"""The vectors that a process has read, for when the online store does not answer: bounded, the oldest go first."""

import threading
from collections.abc import Sequence

from mainspring.domain.ports_features import EntityKey, Vector, ViewId

_OVERHEAD = 250  # bytes that an entry takes besides its key and its vector


class KeptVectors:
    """Args:
        most_bytes: that all together may take.

    Examples:
        >>> kept = KeptVectors(1_000)
        >>> kept.put("ads-1", [b"a", b"b"], [b"x", None])
        >>> kept.get("ads-1", [b"a", b"b"])
        [b'x', None]
        >>> kept.put("ads-1", [b"c", b"d", b"e"], [b"y"] * 3)
        >>> kept.get("ads-1", [b"a", b"e"])
        [None, b'y']
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._entries: dict[tuple[ViewId, EntityKey], Vector] = {}
        self._lock = threading.Lock()

    def get(self, view: ViewId, keys: Sequence[EntityKey]) -> list[Vector | None]:
        """What is kept of these entities."""
        return [self._entries.get((view, key)) for key in keys]

    def put(self, view: ViewId, keys: Sequence[EntityKey], vectors: Sequence[Vector | None]) -> None:
        """Keep what the store said; `None` where it has no such entity any more."""
        entries = self._entries
        with self._lock:
            for key, vector in zip(keys, vectors, strict=True):
                before = entries.pop((view, key), None)
                if before is not None:
                    self._bytes -= len(key) + len(before) + _OVERHEAD
                if vector is not None:
                    entries[view, key] = vector
                    self._bytes += len(key) + len(vector) + _OVERHEAD
            while self._bytes > self._most:
                oldest = next(iter(entries))
                self._bytes -= len(oldest[1]) + len(entries.pop(oldest)) + _OVERHEAD
