"""The releases that a worker holds: loaded, verified and warmed before the one they replace lets go.

Every routed release is loaded once before it gets traffic. What they take together is bounded by a budget: where
it is exceeded, those that have been idle for longest sleep, and wake at their next request.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Protocol

from mainspring.errors import MainspringError, ReleaseError, UnknownRelease
from mainspring.serving.loaded import Loaded, Resident
from mainspring.serving.router import Router
from mainspring.serving.table import Refusal, Rules, Table, Target

_LOG = logging.getLogger("mainspring.gateway")


class Loader(Protocol):
    """Opens releases; called in a thread."""

    def __call__(self, target: Target) -> Resident:
        """Blocks. Raises `MainspringError` when the release does not hold."""
        ...

    def estimate(self, target: Target) -> int:
        """The bytes that it may take, before it is opened."""
        ...


class ReleasePool:
    """The champions of all models, their challengers, and a few other releases that requests named.

    Args:
        load: opens a release.
        threads: where releases are loaded and closed.
        loaded: told the model and whether the release was refused.
        unloaded: told the model of a release that was put to sleep.
        most_named: how many releases besides the routed ones are kept; the least recently used goes.
        budget: bytes that all together may take, as far as they are idle.
        at_once: how many releases are loaded at the same time.

    Attributes:
        champions: by model, asleep ones too.
        routers: by model, of those whose traffic is shared.
        generation: of the routes that were last applied.
        behind: the models that have a refused release, and the generation by which they answer as it wanted.
    """

    def __init__(
        self,
        load: Loader,
        *,
        threads: Executor,
        loaded: Callable[[str, bool], None],
        unloaded: Callable[[str], None] = lambda model: None,  # noqa: ARG005
        most_named: int = 4,
        budget: int = 2**62,
        at_once: int = 2,
    ) -> None:
        self._load = load
        self._threads = threads
        self._told = loaded
        self._told_unloaded = unloaded
        self._most_named = most_named
        self._budget = budget
        self._turns = asyncio.Semaphore(at_once)
        self._lock = asyncio.Lock()
        self._named: OrderedDict[str, Loaded] = OrderedDict()
        self._coming: dict[str, asyncio.Task[Loaded]] = {}
        self._waking: dict[Loaded, asyncio.Task[None]] = {}
        self._refused: dict[str, Refusal] = {}
        self._followed: dict[str, int] = {}
        self._begun = False
        self._bytes = 0  # of everything in memory, what is only waiting for its last answer included
        self._expected = 0  # of what is being loaded
        self.champions: dict[str, Loaded] = {}
        self.routers: dict[str, Router] = {}
        self.table: Table | None = None
        self.generation = 0
        self.behind: dict[str, int] = {}

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """What is routed but not served, by the parent's judgement and by ours."""
        return (*(self.table.refused if self.table else ()), *self._refused.values())

    @property
    def ready(self) -> bool:
        """Whether every model that has a route has a release that answers.

        Before the first table is applied whole, no: challengers are warm from the first request on, too. A
        release that sleeps to keep the budget was warm, and counts.
        """
        if not self._begun or self.table is None:
            return False
        models = self.table.models
        return bool(models) and models <= self.champions.keys()

    @property
    def size(self) -> int:
        """Bytes that the releases take."""
        return self._bytes

    async def apply(self, table: Table) -> None:
        """Make the table true, model by model; what does not hold is refused, and the old release goes on.

        A refused release keeps no other model from what is new for it.
        """
        async with self._lock:
            self.table = table
            self._refused = {}
            self._forget(table)
            champions = {target.model: target for target in table.champions}
            done = await asyncio.gather(
                *(self._follow(target, table.rules.get(model)) for model, target in champions.items()),
                return_exceptions=True,  # a fault of ours in one model, and the others are followed all the same
            )
            for error in done:
                if error is not None:
                    raise error
            held_back = {refusal.model for refusal in self.refused}
            self.behind = {model: self._followed.get(model, 0) for model in held_back}
            for model in table.models - held_back:
                self._followed[model] = table.generation
            self._followed = {model: at for model, at in self._followed.items() if model in table.models}
            self.generation = table.generation
            self._begun = True

    def _forget(self, table: Table) -> None:
        """Let go of the models that have no route any more, and of named releases that changed."""
        for model in self.champions.keys() - table.models:
            self.champions.pop(model).retire()
            router = self.routers.pop(model, None)
            for challenger in router.challengers.values() if router else ():
                challenger.retire()
        known = {*table.known, *table.champions}
        for ref in [ref for ref, held in self._named.items() if held.target not in known]:
            self._named.pop(ref).retire()

    async def _follow(self, target: Target, rules: Rules | None) -> None:
        """Bring one model to its champion and its rules; everything is warm before anything changes."""
        model = target.model
        present = {held.target: held for held in self._routed(model)}
        before = self.champions.get(model)
        champion = await self._taken(target, present) or before
        challengers: dict[int, Loaded] = {}
        for challenger in rules.challengers if rules else ():
            if champion is not None and champion.target == challenger:
                continue  # it fell back on this one
            held = await self._taken(challenger, present)
            if held is not None:
                challengers[challenger.number] = held
        if champion is None:
            for held in challengers.values():
                held.retire()
            return
        # From here to the end nothing is awaited: no request sees half of it.
        self.champions[model] = champion
        if rules is None:
            self.routers.pop(model, None)
        else:
            shadows = [shadow.number for shadow in rules.shadows]
            self.routers[model] = Router(model, rules.traffic, challengers, shadows)
        routed = (champion, *challengers.values())
        for held in routed:
            held.accept(rules.fields if rules else ())
        for held in present.values():
            if held not in routed:
                held.retire()
        self._make_room(0)
        if champion is not before:
            place = f" in place of {before.ref}" if before is not None else ""
            _LOG.info("%s answers%s", champion.ref, place)

    async def _taken(self, target: Target, present: dict[Target, Loaded]) -> Loaded | None:
        """A routed release: the one that is here, or a new one; `None` where it is refused."""
        if target in present:
            return present[target]
        named = self._named.get(target.ref)
        if named is not None and named.target == target:
            return self._named.pop(target.ref)
        try:
            return await self._loaded(target)
        except MainspringError as error:
            self._refused[target.ref] = Refusal(target.ref, str(error))
            return None

    async def named(self, model: str, number: int) -> Loaded:
        """A release that a request names; loaded if it is known and not here yet.

        Raises:
            UnknownRelease: there is no route to a release of this number.
        """
        for held in self._routed(model):
            if held.target.number == number:
                return held
        ref = f"{model}@{number}"
        named = self._named.get(ref)
        if named is None:
            named = await self._named_anew(self._known(model, number))
        if ref in self._named:
            self._named.move_to_end(ref)
        return named

    async def _named_anew(self, target: Target) -> Loaded:
        """Load a release that is named; all who name it meanwhile wait for the same one."""
        task = self._coming.get(target.ref)
        if task is None:
            task = self._coming[target.ref] = asyncio.ensure_future(self._loaded(target))
            task.add_done_callback(lambda done: self._come(target, done))
        return await asyncio.shield(task)  # one who goes away takes it from nobody else

    def _come(self, target: Target, done: "asyncio.Task[Loaded]") -> None:
        del self._coming[target.ref]
        if done.cancelled() or done.exception() is not None:
            return
        held = done.result()
        self._named[target.ref] = held
        while len(self._named) > self._most_named:
            self._named.popitem(last=False)[1].retire()
        if self.table is None or target not in (*self.table.known, *self.table.champions):
            self._named.pop(target.ref, held).retire()

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

    def _routed(self, model: str) -> Iterator[Loaded]:
        champion = self.champions.get(model)
        if champion is not None:
            yield champion
        router = self.routers.get(model)
        if router is not None:
            yield from router.challengers.values()

    @property
    def routed(self) -> list[Loaded]:
        """The releases that answer or may, those asleep too; of a model the champion last."""
        return [held for model in self.champions for held in reversed(list(self._routed(model)))]

    def _everything(self) -> Iterator[Loaded]:
        for model in self.champions:
            yield from self._routed(model)
        yield from self._named.values()

    async def _loaded(self, target: Target) -> Loaded:
        return Loaded(target, await self._opened(target), self._closed, self._woken)

    async def _woken(self, sleeper: Loaded) -> None:
        """Bring a sleeping release back; all who ask meanwhile wait for the same one."""
        if sleeper.awake:
            return
        task = self._waking.get(sleeper)
        if task is None:
            task = self._waking[sleeper] = asyncio.ensure_future(self._awake_again(sleeper))
        await asyncio.shield(task)

    async def _awake_again(self, sleeper: Loaded) -> None:
        try:
            sleeper.woken(await self._opened(sleeper.target))
        finally:
            del self._waking[sleeper]

    async def _opened(self, target: Target) -> Resident:
        async with self._turns:
            expected = self._load.estimate(target)
            self._make_room(expected)
            self._expected += expected
            try:
                resident = await self._read(target)
            finally:
                self._expected -= expected
            self._bytes += resident.size
        self._told(target.model, False)
        return resident

    async def _read(self, target: Target) -> Resident:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._load, target)
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

    def _make_room(self, size: int) -> None:
        """Put releases to sleep, those idle for longest first, until so much more fits; never one at work."""
        excess = self._bytes + self._expected + size - self._budget
        if excess <= 0:
            return
        for held in sorted((held for held in self._everything() if held.idle), key=lambda held: held.turn):
            excess -= held.size
            held.sleep()
            self._told_unloaded(held.model)
            if excess <= 0:
                return

    def _closed(self, resident: Resident) -> None:
        self._bytes -= resident.size
        self._threads.submit(resident.close)

    async def close(self) -> None:
        """Retire everything, at the end."""
        for held in tuple(self._everything()):
            held.retire()
