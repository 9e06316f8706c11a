"""Watches a score job: keeps some rows of each part while they are in memory, and at the end sketches them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.clock import Clock
from mainspring.domain.ids import uuid7
from mainspring.domain.ports import Tables
from mainspring.domain.release import Manifest
from mainspring.monitoring.jobs.job import Job
from mainspring.monitoring.jobs.recording import KEY, OUTPUTS, ROW, record_job
from mainspring.monitoring.jobs.sampling import chosen, halvings
from mainspring.stores.atomic import write_atomic

_MARK, _ENDING = "watched.json", "ending"


class _Mark(msgspec.Struct, frozen=True):
    """Of a job, as long as it is under way: what must stay the same when it goes on after a kill."""

    id: str
    began: datetime


class JobWatcher:
    """A watcher of score jobs (`batch.scoring.Watcher`).

    What is a person's is not kept, but for the key, by which labels come.

    Args:
        name: of the output, for people.

    Attributes:
        job: what was recorded, once the job has ended.
    """

    form = "rows 1"

    def __init__(self, tables: Tables, manifest: Manifest, clock: Clock, *, name: str) -> None:
        self.job: Job | None = None
        self._tables = tables
        self._manifest = manifest
        self._clock = clock
        self._name = name
        self._folder = Path()
        self._fields = [field for field in manifest.inputs if field.personal is None]

    def begin(self, folder: Path) -> None:
        self._folder, place = folder, folder / _MARK
        if not place.exists():
            mark = _Mark(uuid7(self._clock), self._clock.now())
            write_atomic(place, msgspec.json.encode(mark), role="the mark of the score job")
        self._mark = msgspec.json.decode(place.read_bytes(), type=_Mark)

    def part(self, place: Path, start: int, rows: pl.DataFrame, outputs: NDArray[np.float64]) -> None:
        numbers = np.arange(start, start + rows.height, dtype=np.int64)
        halved = halvings(start + rows.height)
        if halved:
            places = np.flatnonzero(chosen(numbers, halved))
            numbers, outputs, rows = numbers[places], outputs[places], rows[places]
        key = self._manifest.key
        if key is not None and key in rows.columns:
            keys = rows.get_column(key).cast(pl.String)
        else:
            keys = pl.repeat(None, rows.height, dtype=pl.String, eager=True)
        kept = [
            pl.Series(ROW, numbers),
            keys.alias(KEY),
            pl.Series(OUTPUTS, np.ascontiguousarray(outputs), dtype=pl.Array(pl.Float64, outputs.shape[1])),
            # By number: an input may have any name, also one of these.
            *(rows.get_column(field.name).alias(str(n)) for n, field in enumerate(self._fields)),
        ]
        pl.DataFrame(kept).write_ipc(place)

    def end(self, places: Sequence[Path], rows: int) -> None:
        halved = halvings(rows)
        kept = []
        for place in places:
            part = pl.read_ipc(place)
            kept.append(part.filter(chosen(part.get_column(ROW).to_numpy(), halved)) if halved else part)
        sample = pl.concat(kept) if kept else pl.DataFrame()
        job = Job(
            id=self._mark.id,
            number=0,
            release=self._manifest.number,
            began=self._mark.began,
            ended=self._mark.began,
            rows=rows,
            looked_at=sample.height,
            name=self._name,
        )
        ending = self._folder / _ENDING
        again = ending.exists()
        if not again:
            write_atomic(ending, b"", role="the mark of the score job")
        self.job = record_job(self._tables, self._manifest, job, sample, self._clock, again=again)
