"""Rows of concurrent requests go through a compiled model together, and no request waits for another.

Everything that arrived in one turn of the event loop is answered at the start of the next: one `call_soon`, no
timer. A request that is alone runs at once; one with many rows runs in a thread, so that it blocks nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mainspring.errors import ReleaseError, Unavailable
from mainspring.release.encoding_typed import TypedRows

Rows = Sequence[Mapping[str, object]]
Outputs = list[list[float]]
Matrix = npt.NDArray[np.float64]

LARGE = 256  # rows; from here on a thread's hand-over costs less than the wait of the others


class Batcher(Protocol):
    """Answers the rows of one request."""

    async def outputs(self, rows: Rows) -> Outputs:
        """One list of outputs for each row. Raises `InvalidInput`."""
        ...


class CompiledModel(Protocol):
    """What is needed of the compiled runtime."""

    def predict_matrix(self, matrix: Matrix, /) -> Matrix: ...


class CompiledBatcher:
    """Batches requests to a compiled model.

    Args:
        encode: rows to the model's matrix; raises `InvalidInput`.
        model: the compiled model.
        alone: whether the request that asks is the only one in this worker.
        threads: where large requests run.
        batched: told the number of rows of each run.

    Attributes:
        encode, predict, batched: as given, for those who batch by themselves.
        typed: reads plain bodies into the matrix at once; `None` where each has to be read with care.
    """

    def __init__(
        self,
        encode: Callable[[Rows], Matrix],
        model: CompiledModel,
        *,
        alone: Callable[[], bool],
        threads: Executor,
        batched: Callable[[float], object],
        typed: TypedRows | None = None,
    ) -> None:
        self.typed = typed
        self.encode = encode
        self.predict = model.predict_matrix
        self._alone = alone
        self._threads = threads
        self.batched = batched
        self._waiting: list[tuple[Matrix, asyncio.Future[Outputs]]] = []

    def read_by(self, encode: Callable[[Rows], Matrix]) -> None:
        """Read the rows of coming requests in another way."""
        self.encode = encode

    async def outputs(self, rows: Rows) -> Outputs:
        if len(rows) >= LARGE:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._large, rows)
        matrix = self.encode(rows)
        if self._alone():
            self.batched(len(matrix))
            return _listed(self.predict(matrix))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outputs] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((matrix, future))
        return await future

    def _large(self, rows: Rows) -> Outputs:
        matrix = self.encode(rows)
        answers = [self.predict(matrix[start : start + 1024]) for start in range(0, len(matrix), 1024)]
        self.batched(len(matrix))
        return _listed(np.concatenate(answers))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        start = 0
        while start < len(waiting):
            end, rows = start, 0
            while end < len(waiting) and (end == start or rows + len(waiting[end][0]) <= LARGE):
                rows += len(waiting[end][0])
                end += 1
            self._run(waiting[start:end])
            start = end

    def _run(self, batch: list[tuple[Matrix, "asyncio.Future[Outputs]"]]) -> None:
        matrix = batch[0][0] if len(batch) == 1 else np.concatenate([rows for rows, _ in batch])
        try:
            answers = _listed(self.predict(matrix))
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:  # what one request breaks must not break its neighbours
                self._run([one])
            return
        self.batched(len(matrix))
        place = 0
        for rows, future in batch:
            if not future.done():
                future.set_result(answers[place : place + len(rows)])
            place += len(rows)


class QueueBatcher:
    """Batches requests to a runtime that blocks (a native release in its child process): while one batch is being
    answered, the next gathers.

    Args:
        check: raises `InvalidInput` for rows that the release does not take.
        predict: blocks; runs in a thread.
        threads: a thread of its own, so that a slow release blocks nobody.
        batched: told the number of rows of each run.
        max_rows: rows that wait at most; a request that comes on top of them is refused.
    """

    def __init__(
        self,
        check: Callable[[Rows], Any],
        predict: Callable[[Rows], Matrix],
        *,
        threads: Executor,
        batched: Callable[[float], object],
        max_rows: int = 20_000,
    ) -> None:
        self._check = check
        self._predict = predict
        self._threads = threads
        self._batched = batched
        self._max_rows = max_rows
        self._waiting: deque[tuple[Rows, asyncio.Future[Outputs]]] = deque()
        self._waiting_rows = 0
        self._drain: asyncio.Task[None] | None = None

    def read_by(self, check: Callable[[Rows], Any]) -> None:
        """Check the rows of coming requests in another way."""
        self._check = check

    async def outputs(self, rows: Rows) -> Outputs:
        """One list of outputs for each row. Raises `InvalidInput`; `Unavailable` when too many rows wait."""
        self._check_room(len(rows))
        loop = asyncio.get_running_loop()
        if len(rows) >= LARGE:
            await loop.run_in_executor(None, self._check, rows)
            self._check_room(len(rows))  # others came meanwhile
        else:
            self._check(rows)
        future: asyncio.Future[Outputs] = loop.create_future()
        self._waiting.append((rows, future))
        self._waiting_rows += len(rows)
        if self._drain is None or self._drain.done():
            self._drain = loop.create_task(self._drained())
        return await future

    def _check_room(self, rows: int) -> None:
        if self._waiting and self._waiting_rows + rows > self._max_rows:
            raise Unavailable(
                f"{self._waiting_rows:,} rows wait for this release, and no more are taken",
                cure="ask again in a second, or send fewer at once",
            )

    async def _drained(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft()]
            rows = len(batch[0][0])
            while self._waiting and rows + len(self._waiting[0][0]) <= LARGE:
                rows += len(self._waiting[0][0])
                batch.append(self._waiting.popleft())
            self._waiting_rows -= rows
            await self._run(batch)

    async def _run(self, batch: list[tuple[Rows, "asyncio.Future[Outputs]"]]) -> None:
        rows = [row for some, _ in batch for row in some]
        try:
            answers = _listed(await asyncio.get_running_loop().run_in_executor(self._threads, self._predict, rows))
        except Exception as error:
            if len(batch) == 1 or isinstance(error, ReleaseError):
                # The process died or hung: asking it again for each would only make all wait longer.
                for _, future in batch:
                    _fail(future, error)
                return
            for one in batch:
                await self._run([one])
            return
        self._batched(len(rows))
        place = 0
        for some, future in batch:
            if not future.done():
                future.set_result(answers[place : place + len(some)])
            place += len(some)


def _listed(outputs: Matrix) -> Outputs:
    listed: Outputs = outputs.tolist()
    return listed


def _fail(future: "asyncio.Future[Outputs]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
