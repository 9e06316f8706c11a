"""The releases that a worker holds: loaded, verified and warmed before the one they replace lets go."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

from mainspring.domain.release import Manifest
from mainspring.errors import MainspringError, ReleaseError, UnknownRelease
from mainspring.serving.batcher import Batcher
from mainspring.serving.table import Refusal, Table, Target

_LOG = logging.getLogger("mainspring.gateway")


class Resident(Protocol):
    """A release in memory, warm."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def batcher(self) -> Batcher: ...

    def close(self) -> None: ...


class Loaded:
    """A release that answers requests, and how many are being answered by it.

    Attributes:
        ref: e.g. `adult@3`.
    """

    __slots__ = ("_close", "_resident", "_retired", "batcher", "manifest", "model", "ref", "target", "users")

    def __init__(self, target: Target, resident: Resident, close: Callable[[Resident], None]) -> None:
        self.target = target
        self.model = target.model
        self.ref = target.ref
        self.manifest = resident.manifest
        self.batcher = resident.batcher
        self.users = 0
        self._retired = False
        self._resident = resident
        self._close = close

    def __enter__(self) -> "Loaded":
        self.users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1
        if self._retired and self.users == 0:
            self._close(self._resident)

    def retire(self) -> None:
        """No new request comes here; the memory goes when the last one is answered."""
        if not self._retired:
            self._retired = True
            if self.users == 0:
                self._close(self._resident)


class ReleasePool:
    """The champions of all models, and a few other releases that requests named.

    Args:
        load: opens a release; blocks; runs in a thread; raises `MainspringError` when it does not hold.
        threads: where releases are loaded and closed.
        loaded: told the model and whether the release was refused.
        most_named: how many releases besides the champions are kept; the least recently used goes.
    """

    def __init__(
        self,
        load: Callable[[Target], Resident],
        *,
        threads: Executor,
        loaded: Callable[[str, bool], None],
        most_named: int = 4,
    ) -> None:
        self._load = load
        self._threads = threads
        self._told = loaded
        self._most_named = most_named
        self._lock = asyncio.Lock()
        self._named: OrderedDict[str, Loaded] = OrderedDict()
        self._refused: dict[str, Refusal] = {}
        self.champions: dict[str, Loaded] = {}
        self.table: Table | None = None
        self.generation = 0

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """What is promoted but not served, by the parent's judgement and by ours."""
        return (*(self.table.refused if self.table else ()), *self._refused.values())

    @property
    def ready(self) -> bool:
        """Whether every model that has a route has a release that answers."""
        if self.table is None or not (self.table.champions or self.table.refused):
            return False
        routed = {target.model for target in self.table.champions}
        routed |= {refusal.ref.partition("@")[0] for refusal in self.table.refused}
        return routed <= self.champions.keys()

    async def apply(self, table: Table) -> None:
        """Make the table true, model by model; what does not hold is refused, and the old release goes on."""
        async with self._lock:
            self.table = table
            self._refused = {}
            for target in table.champions:
                present = self.champions.get(target.model)
                if present is not None and present.target == target:
                    continue
                try:
                    fresh = self._named.pop(target.ref, None)
                    if fresh is None or fresh.target != target:
                        fresh = await self._loaded(target)
                except MainspringError as error:
                    self._refused[target.ref] = Refusal(target.ref, str(error))
                    continue
                self.champions[target.model] = fresh
                if present is not None:
                    present.retire()
                    _LOG.info("%s answers in place of %s", fresh.ref, present.ref)
                else:
                    _LOG.info("%s answers", fresh.ref)
            routed = {target.model for target in table.champions}
            routed |= {refusal.ref.partition("@")[0] for refusal in table.refused}
            for model in self.champions.keys() - routed:
                self.champions.pop(model).retire()
            known = {(target.ref, target) for target in table.known}
            for ref in [ref for ref, held in self._named.items() if (ref, held.target) not in known]:
                self._named.pop(ref).retire()
            if not self._refused and not table.refused:
                # With a refused release we do not answer by this generation, and must not say so.
                self.generation = table.generation

    async def named(self, model: str, number: int) -> Loaded:
        """A release that a request names; loaded if it is known and not here yet.

        Raises:
            UnknownRelease: there is no route to a release of this number.
        """
        champion = self.champions.get(model)
        if champion is not None and champion.target.number == number:
            return champion
        ref = f"{model}@{number}"
        held = self._named.get(ref)
        if held is None:
            async with self._lock:
                held = self._named.get(ref)
                if held is None:
                    held = await self._loaded(self._known(model, number))
                    self._named[ref] = held
                    while len(self._named) > self._most_named:
                        self._named.popitem(last=False)[1].retire()
        self._named.move_to_end(ref)
        return held

    def _known(self, model: str, number: int) -> Target:
        targets = (*self.table.champions, *self.table.known) if self.table else ()
        for target in targets:
            if target.model == model and target.number == number:
                return target
        raise UnknownRelease(
            f"there is no release {model}@{number} here",
            cure=f"leave out the number, or ask for one of: {', '.join(self.numbers(model)) or 'none'}",
            where={"release": f"{model}@{number}"},
        )

    def numbers(self, model: str) -> list[str]:
        """The numbers of the model's releases that requests may name, in ascending order."""
        targets = (*self.table.champions, *self.table.known) if self.table else ()
        return [str(n) for n in sorted({target.number for target in targets if target.model == model})]

    async def _loaded(self, target: Target) -> Loaded:
        loop = asyncio.get_running_loop()
        try:
            resident = await loop.run_in_executor(self._threads, self._load, target)
        except MainspringError as error:
            self._told(target.model, True)
            _LOG.error("%s is refused: %s", target.ref, error)
            raise
        except Exception as error:  # whatever a broken release makes a library raise
            self._told(target.model, True)
            _LOG.exception("%s is refused", target.ref)
            raise ReleaseError(
                f"{target.ref} does not load: {type(error).__name__}", cure="seal the model anew"
            ) from error
        self._told(target.model, False)
        return Loaded(target, resident, self._closed)

    def _closed(self, resident: Resident) -> None:
        self._threads.submit(resident.close)

    async def close(self) -> None:
        """Retire everything, at the end."""
        for loaded in (*self.champions.values(), *self._named.values()):
            loaded.retire()
