"""Batching changes who goes together, never what anyone gets."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.errors import InvalidInput, ReleaseError, Unavailable
from mainspring.serving.batcher import LARGE, CompiledBatcher, QueueBatcher

Rows = list[dict[str, Any]]


class Doubling:
    """A model that doubles its input, remembers its batches, and fails on 13."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[int] = []
        self.error = error or RuntimeError("13")
        self.gate = threading.Event()
        self.gate.set()

    def predict_matrix(self, matrix: np.ndarray) -> np.ndarray:
        self.gate.wait(5)
        self.batches.append(len(matrix))
        if (matrix == 13).any():
            raise self.error
        return matrix * 2

    def predict_rows(self, rows: Any) -> np.ndarray:
        return self.predict_matrix(encode(rows))


def encode(rows: Any) -> np.ndarray:
    if any(row["x"] < 0 for row in rows):
        raise InvalidInput("negative")
    return np.array([[float(row["x"])] for row in rows])


def answer(
    requests: list[Rows], make: Callable[[Doubling, ThreadPoolExecutor], Any], model: Doubling
) -> list[Any]:
    """What each request gets when all are asked at once."""

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1) as threads:
            batcher = make(model, threads)
            return await asyncio.gather(*(batcher.outputs(rows) for rows in requests), return_exceptions=True)

    return asyncio.run(ask())


def compiled(model: Doubling, threads: ThreadPoolExecutor) -> CompiledBatcher:
    return CompiledBatcher(encode, model, alone=lambda: False, threads=threads, batched=lambda rows: None)


def queued(model: Doubling, threads: ThreadPoolExecutor) -> QueueBatcher:
    return QueueBatcher(encode, model.predict_rows, threads=threads, batched=lambda rows: None)


requests_of_all_sizes = st.lists(
    st.one_of(
        st.lists(st.fixed_dictionaries({"x": st.integers(-1, 14)}), min_size=1, max_size=5),
        st.integers(LARGE - 1, LARGE + 2).map(lambda n: [{"x": i % 12} for i in range(n)]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("make", [compiled, queued])
@settings(max_examples=60, deadline=None)
@given(requests=requests_of_all_sizes)
def test_each_request_gets_its_own_answer_or_its_own_error(make: Any, requests: list[Rows]) -> None:
    for rows, got in zip(requests, answer(requests, make, Doubling()), strict=True):
        values = [row["x"] for row in rows]
        if min(values) < 0:
            assert isinstance(got, InvalidInput)
        elif 13 in values:
            assert isinstance(got, RuntimeError)
        else:
            assert got == [[2.0 * value] for value in values]


def test_requests_of_one_turn_go_together_and_stay_small() -> None:
    model = Doubling()
    answer([[{"x": 1}]] * 16, compiled, model)
    assert model.batches == [16]
    model = Doubling()
    answer([[{"x": 1}] * 100] * 5, compiled, model)
    assert model.batches == [200, 200, 100]


def test_while_a_blocking_model_answers_the_next_batch_gathers() -> None:
    model = Doubling()
    answer([[{"x": number}] for number in range(10)], queued, model)
    assert sum(model.batches) == 10
    assert len(model.batches) <= 2


def test_a_process_that_died_is_not_asked_again_for_each() -> None:
    model = Doubling(ReleaseError("it died"))
    got = answer([[{"x": 13}], [{"x": 1}], [{"x": 2}]], queued, model)
    assert isinstance(got[0], ReleaseError)
    assert sum(model.batches) <= 3


def test_what_waits_for_a_blocking_model_is_bounded() -> None:
    model = Doubling()
    model.gate.clear()

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1) as threads:
            batcher = QueueBatcher(
                encode, model.predict_rows, threads=threads, batched=lambda rows: None, max_rows=400
            )
            requests = [asyncio.ensure_future(batcher.outputs([{"x": 1}] * 300)) for _ in range(4)]
            requests += [asyncio.ensure_future(batcher.outputs([{"x": 2}] * 50)) for _ in range(4)]
            while sum(request.done() for request in requests) < 3:
                await asyncio.sleep(0.01)
            model.gate.set()
            got = await asyncio.gather(*requests, return_exceptions=True)
            # With the queue empty a single request may be as large as it likes.
            return [*got, await batcher.outputs([{"x": 3}] * 5_000)]

    *got, large = asyncio.run(ask())
    refused = [one for one in got if isinstance(one, Unavailable)]
    answered = [one for one in got if isinstance(one, list)]
    assert len(refused) + len(answered) == 8
    assert len(refused) >= 3
    assert all("rows wait" in str(one) for one in refused)
    assert {len(one) for one in answered} <= {50, 300}
    assert len(large) == 5_000
