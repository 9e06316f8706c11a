"""Many models in one worker, within a stated budget, with the releases that are really loaded."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mainspring.domain.ids import digest_bytes
from mainspring.domain.routing import Share, Traffic
from mainspring.errors import ReleaseError, UnknownRelease
from mainspring.serving.loaded import Loaded
from mainspring.serving.pool import ReleasePool
from mainspring.serving.residents import OpenedRelease, ReleaseLoader
from mainspring.serving.table import Refusal, Rules, Table, Target

from .conftest import ROW, Shop, expected

MODELS = [f"model-{number:02}" for number in range(30)]


def target(shop: Shop, number: int, model: str) -> Target:
    folder = shop.root / "releases" / model / str(number)
    return Target(model, number, str(folder), digest_bytes((folder / "manifest.json").read_bytes()))


class Slow(ReleaseLoader):
    """Loads as in a worker, and remembers what it loaded and how many at once."""

    def __init__(self, trusted: Path, threads: ThreadPoolExecutor) -> None:
        super().__init__(trusted, alone=lambda: True, threads=threads, batched=lambda rows: None)
        self.opened: list[str] = []

    def __call__(self, target: Target) -> OpenedRelease:
        self.opened.append(target.ref)
        return super().__call__(target)


@dataclass
class Bench:
    """A pool and what it told."""

    shop: Shop
    loader: Slow
    threads: ThreadPoolExecutor
    told: Counter[tuple[str, str]] = field(default_factory=Counter)

    def pool(self, **options: int) -> ReleasePool:
        return ReleasePool(
            self.loader,
            threads=self.threads,
            loaded=lambda model, refused: self.told.update([(model, "refused" if refused else "loaded")]),
            unloaded=lambda model: self.told.update([(model, "unloaded")]),
            **options,
        )


@pytest.fixture
def bench(shop: Shop) -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as threads:
        yield Bench(shop, Slow(shop.root / "keys" / "trusted", threads), threads)


def run(what: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(what())  # type: ignore[arg-type]


async def answers(held: Loaded) -> bool:
    """Whether it answers as its release does."""
    with held:
        got = await held.batcher.outputs([ROW])
    return abs(got[0][1] - expected(held.target.number, [ROW])[0, 1]) < 1e-9


def test_thirty_models_keep_within_a_budget_for_a_few(bench: Bench) -> None:
    for model in MODELS:
        bench.shop.seal(1, model)
    targets = tuple(target(bench.shop, 1, model) for model in MODELS)
    budget = 8 * bench.loader.estimate(targets[0])

    async def go() -> None:
        pool = bench.pool(budget=budget)
        await pool.apply(Table(1, champions=targets))
        assert pool.ready
        assert pool.generation == 1
        assert sorted(pool.champions) == MODELS
        assert Counter(bench.loader.opened) == Counter(f"{model}@1" for model in MODELS), "each was proved once"
        most = 0
        for turn in range(3):
            for model in MODELS if turn % 2 == 0 else reversed(MODELS):
                assert await answers(pool.champions[model])
                most = max(most, pool.size)
                assert sum(held.awake for held in pool.champions.values()) <= 8
        assert most <= budget
        assert pool.ready, "one that sleeps was warm, and wakes at its next request"
        # Who is asked all the time stays, whoever else comes and goes.
        loads = bench.loader.opened.count(f"{MODELS[0]}@1")
        for model in MODELS:
            assert await answers(pool.champions[MODELS[0]])
            assert await answers(pool.champions[model])
        assert bench.loader.opened.count(f"{MODELS[0]}@1") <= loads + 1
        await pool.close()
        assert pool.size == 0

    run(go)
    assert bench.told[MODELS[1], "unloaded"] >= 1


def test_one_at_work_is_never_put_to_sleep(bench: Bench) -> None:
    for model in MODELS[:4]:
        bench.shop.seal(1, model)
    targets = tuple(target(bench.shop, 1, model) for model in MODELS[:4])

    async def go() -> None:
        pool = bench.pool(budget=bench.loader.estimate(targets[0]))
        await pool.apply(Table(1, champions=targets))
        busy = pool.champions[MODELS[0]]
        with busy:
            await busy.batcher.outputs([ROW])
            for model in MODELS[1:4]:
                assert await answers(pool.champions[model])
                assert busy.awake
        assert sum(held.awake for held in pool.champions.values()) == 2
        assert await answers(pool.champions[MODELS[1]])
        assert not busy.awake
        await pool.close()

    run(go)


def test_many_who_ask_a_sleeping_release_wake_it_once(bench: Bench) -> None:
    for model in MODELS[:2]:
        bench.shop.seal(1, model)
    targets = tuple(target(bench.shop, 1, model) for model in MODELS[:2])

    async def go() -> None:
        pool = bench.pool(budget=bench.loader.estimate(targets[0]))
        await pool.apply(Table(1, champions=targets))
        sleeper = next(held for held in pool.champions.values() if not held.awake)
        before = bench.loader.opened.count(sleeper.ref)
        gone = asyncio.ensure_future(answers(sleeper))
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(answers(sleeper)) for _ in range(20)]
        await asyncio.sleep(0)
        gone.cancel()  # one client that goes away takes it from nobody else
        assert all(await asyncio.gather(*rest))
        assert bench.loader.opened.count(sleeper.ref) == before + 1
        await pool.close()
        assert (pool.size, sleeper.users) == (0, 0)

    run(go)


def test_one_that_does_not_hold_any_more_when_it_wakes_says_so(bench: Bench) -> None:
    for model in MODELS[:2]:
        bench.shop.seal(1, model)
    targets = tuple(target(bench.shop, 1, model) for model in MODELS[:2])

    async def go() -> None:
        pool = bench.pool(budget=bench.loader.estimate(targets[0]))
        await pool.apply(Table(1, champions=targets))
        sleeper = next(held for held in pool.champions.values() if not held.awake)
        place = Path(sleeper.target.folder) / "model.onnx"
        content = place.read_bytes()
        place.write_bytes(b"no model")
        with pytest.raises(ReleaseError, match=r"model\.onnx"):
            await answers(sleeper)
        place.write_bytes(content)
        assert await answers(sleeper)
        await pool.close()

    run(go)


def test_a_refused_release_holds_up_no_other_model(bench: Bench) -> None:
    bench.shop.seal(1, "a")
    bench.shop.seal(2, "a", lying=True)
    bench.shop.seal(1, "b")
    bench.shop.seal(2, "b")
    one_a, two_a, one_b, two_b = (target(bench.shop, n, m) for m in "ab" for n in (1, 2))

    async def go() -> None:
        pool = bench.pool()
        await pool.apply(Table(5, champions=(one_a, one_b)))
        await pool.apply(Table(6, champions=(two_a, two_b)))
        assert {model: held.ref for model, held in pool.champions.items()} == {"a": "a@1", "b": "b@2"}
        assert (pool.generation, pool.behind) == (6, {"a": 5})
        assert [refusal.ref for refusal in pool.refused] == ["a@2"]
        assert pool.ready
        parents = Refusal("b@3", "a file is absent")
        await pool.apply(Table(7, champions=(one_a, two_b), refused=(parents,)))
        assert (pool.generation, pool.behind) == (7, {"b": 6})
        await pool.apply(Table(8, champions=(one_a, two_b)))
        assert pool.behind == {}
        await pool.close()

    run(go)


def test_a_pool_that_starts_with_a_refused_release_says_that_it_never_had_it(bench: Bench) -> None:
    bench.shop.seal(1, "a", lying=True)

    async def go() -> None:
        pool = bench.pool()
        assert not pool.ready
        await pool.apply(Table(5, champions=(target(bench.shop, 1, "a"),)))
        assert (pool.generation, pool.behind, pool.ready) == (5, {"a": 0}, False)
        await pool.close()

    run(go)


def test_challengers_are_warm_before_the_rules_hold_and_move_without_loading(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.shop.seal(number, "a")
    one, two, three = (target(bench.shop, number, "a") for number in (1, 2, 3))

    async def go() -> None:
        pool = bench.pool()
        await pool.apply(Table(1, champions=(one,), known=(two, three)))
        assert (await pool.named("a", 2)).ref == "a@2"
        rules = Rules(Traffic(canary=Share(2, 0.5)), challengers=(two,))
        await pool.apply(Table(2, champions=(one,), known=(two, three), rules={"a": rules}))
        assert list(pool.routers["a"].challengers) == [2]
        assert bench.loader.opened == ["a@1", "a@2"], "it was here already, by its name"
        assert await pool.named("a", 2) is pool.routers["a"].challengers[2]
        await pool.apply(Table(3, champions=(two,), known=(one, three)))
        assert pool.champions["a"].ref == "a@2"
        assert pool.routers == {}
        assert bench.loader.opened == ["a@1", "a@2"], "the canary became the champion"
        assert await answers(pool.champions["a"])
        await pool.apply(Table(4, champions=(), known=()))
        assert (pool.champions, pool.size) == ({}, 0)

    run(go)


def test_named_releases_come_and_go_by_use(bench: Bench) -> None:
    for number in range(1, 8):
        bench.shop.seal(number, "a")
    first, *known = (target(bench.shop, number, "a") for number in range(1, 8))

    async def go() -> None:
        pool = bench.pool(most_named=2)
        await pool.apply(Table(1, champions=(first,), known=tuple(known)))
        same = await asyncio.gather(*(pool.named("a", 2) for _ in range(5)))
        assert len(set(map(id, same))) == 1
        for number in (3, 2, 4, 2, 5, 2):
            assert await answers(await pool.named("a", number))
        assert Counter(bench.loader.opened)["a@2"] == 1, "it is used again and again"
        with pytest.raises(UnknownRelease, match="ask for one of: 1, 2, 3, 4, 5, 6, 7"):
            await pool.named("a", 9)
        await pool.close()
        assert pool.size == 0

    run(go)


def test_the_size_of_a_release_is_within_what_is_plausible(bench: Bench) -> None:
    bench.shop.seal(1, "a")
    one = target(bench.shop, 1, "a")
    model = (Path(one.folder) / "model.onnx").stat().st_size
    opened = bench.loader(one)
    assert (1 << 18) + model <= opened.size <= (1 << 18) + 8 * model
    opened.close()
    assert bench.loader.estimate(Target("a", 9, "/nowhere", "")) > 0
