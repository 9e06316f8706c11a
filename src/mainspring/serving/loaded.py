"""A release that answers requests in this worker: in memory, or put to sleep until it is asked again."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Protocol

from mainspring.domain.release import Manifest
from mainspring.serving.batcher import Batcher, Outputs, Rows
from mainspring.serving.table import Target

if TYPE_CHECKING:
    from mainspring.serving.feature_rows import ReleaseViews

_TURN = count(1).__next__


class Resident(Protocol):
    """A release in memory, warm."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def batcher(self) -> Batcher: ...

    @property
    def views(self) -> "ReleaseViews | None":
        """Finds the features of its views; `None` where it has none."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it takes, as nearly as can be told."""
        ...

    def accept(self, fields: Iterable[str]) -> None:
        """Let rows carry these fields, too, which other releases of the model know."""
        ...

    def close(self) -> None: ...


class Loaded:
    """A release that answers requests, and how many are being answered by it.

    Args:
        close: gives a resident's memory back.
        wake: brings a sleeping release back; raises `MainspringError` when it does not hold any more.

    Attributes:
        ref: e.g. `adult@3`.
        batcher: answers; of a sleeping release, wakes it first.
        views: finds the features of its views; `None` where it has none.
        users: the requests being answered by it.
        turn: grows with each request, over all releases; who has the lowest was idle for longest.
    """

    __slots__ = (
        "_close",
        "_fields",
        "_resident",
        "_retired",
        "_wake",
        "batcher",
        "manifest",
        "model",
        "ref",
        "target",
        "turn",
        "users",
        "views",
    )

    def __init__(
        self,
        target: Target,
        resident: Resident,
        close: Callable[[Resident], None],
        wake: Callable[["Loaded"], Awaitable[None]],
    ) -> None:
        self.target = target
        self.model = target.model
        self.ref = target.ref
        self.manifest = resident.manifest
        self.batcher = resident.batcher
        self.views = resident.views
        self.users = 0
        self.turn = _TURN()
        self._retired = False
        self._resident: Resident | None = resident
        self._close = close
        self._wake = wake
        self._fields: frozenset[str] = frozenset()

    def __enter__(self) -> "Loaded":
        self.users += 1
        self.turn = _TURN()
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1
        if self._retired and self.users == 0:
            self._let_go()

    @property
    def awake(self) -> bool:
        """Whether it is in memory."""
        return self._resident is not None

    @property
    def idle(self) -> bool:
        """Whether it is in memory and nobody needs it now."""
        return self._resident is not None and self.users == 0

    @property
    def size(self) -> int:
        """Bytes that it takes now."""
        return 0 if self._resident is None else self._resident.size

    def accept(self, fields: Iterable[str]) -> None:
        """Let rows carry these fields, too."""
        given = frozenset(fields)
        if given != self._fields:
            self._fields = given
            if self._resident is not None:
                self._resident.accept(given)

    def sleep(self) -> None:
        """Give the memory back until the next request; only for one that is idle."""
        self.batcher = _Sleeping(self)
        self._let_go()

    def woken(self, resident: Resident) -> None:
        """Answer from this memory again."""
        if self._retired and self.users == 0:  # nobody waits for it any more
            self._close(resident)
            return
        resident.accept(self._fields)
        self._resident = resident
        self.batcher = resident.batcher

    async def wake(self) -> None:
        """Bring it back to memory. Raises `MainspringError` when it does not hold any more."""
        await self._wake(self)

    def retire(self) -> None:
        """No new request comes here; the memory goes when the last one is answered."""
        if not self._retired:
            self._retired = True
            if self.users == 0:
                self._let_go()

    def _let_go(self) -> None:
        resident, self._resident = self._resident, None
        if resident is not None:
            self._close(resident)


class _Sleeping:
    """Stands where a sleeping release's batcher was."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    async def outputs(self, rows: Rows) -> Outputs:
        await self._loaded.wake()
        return await self._loaded.batcher.outputs(rows)
