"""Scores a table of any size: the release's answers, streaming, resumable, each row exactly once.

Rows go through in parts of a fixed size. A part is written whole or not at all, so that a killed job, started
again, does only what is missing; the output gets its name when the last part is there.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.batch.formats import Format, format_of
from mainspring.data.columns import columns_of
from mainspring.domain.ids import digest_json
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.domain.task import Task
from mainspring.errors import SourceNotFound
from mainspring.release.labels import predicted_classes
from mainspring.release.runtimes.base import Runtime
from mainspring.stores.atomic import naming_a_full_disk, write_atomic

ROW = "row"


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What to score.

    Attributes:
        batches: the typed rows in order, in batches of a size that is the same each time it is called.
        identity: what the input is; a job with another one does not go on from this one's parts.
        output: the name, which tells the format.
        keep: columns of the input to keep in the output.
        key: the column that names a row; without one the output numbers the rows, from 0.
        threads: batches in work at a time.
        completed: makes rows whole, where they lack what the release takes.
    """

    batches: Callable[[], Iterator[pl.DataFrame]]
    identity: dict[str, object]
    output: str
    keep: Sequence[str]
    key: str | None
    threads: int
    completed: Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    rows: int
    resumed_rows: int  # of these, scored by an earlier attempt
    output: str


class Watcher(Protocol):
    """Looks at the rows of a job while they are in memory, e.g. to sketch what was asked and what was answered.

    Law: what it keeps of a part stands in the file that it is given, so that the job of a killed process goes on
    with it. `part` comes from several threads, and again for a part that was being worked on when the process was
    killed; `end` comes when the output has its name, and again where the process was killed before it was over.

    Attributes:
        form: of what it keeps; a job whose parts were kept in another form does not go on from them.
    """

    form: str

    def begin(self, folder: Path) -> None:
        """The job begins, or goes on; `folder` lasts until its end."""
        ...

    def part(self, place: Path, start: int, rows: pl.DataFrame, outputs: NDArray[np.float64]) -> None:
        """Keep what is wanted of a part, the rows from number `start` on, in a file of this name."""
        ...

    def end(self, places: Sequence[Path], rows: int) -> None:
        """All rows are scored; `places` are the files of all parts, in order."""
        ...


def score(
    job: ScoreJob,
    manifest: Manifest,
    runtime: Runtime,
    *,
    watcher: Watcher | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> ScoreResult:
    """Score all rows into the output; nothing stands under its name before all are there.

    Args:
        watcher: sees the rows of each part. What goes wrong with it at the end is raised when the output is there;
            the parts are kept, so that the same job, started again, does no more than that.
        on_rows: told how many more rows are done, from several threads' results in order.

    Raises:
        UsageError: the output's name tells no format.
        DataError: an input row that does not fit; the parts before it are kept for the next attempt.
        DiskFull: there is no room; the parts are kept.
    """
    form = format_of(job.output)
    output = Path(job.output.rstrip("/"))
    if not output.parent.is_dir():
        raise SourceNotFound(
            f"there is no folder {output.parent}", cure="make it first", where={"file": job.output}
        )
    about = {"release": manifest.files, "input": job.identity, "keep": list(job.keep)}
    fingerprint = digest_json(about | ({"watched": watcher.form} if watcher is not None else {}))
    parts = _parts_folder(output, fingerprint)
    if watcher is not None:
        watcher.begin(parts)
    rows = resumed = count = 0
    for number, (height, was_there) in enumerate(_done_parts(job, form, parts, manifest, runtime, watcher)):
        rows += height
        resumed += height if was_there else 0
        count = number + 1
        if on_rows is not None:
            on_rows(height)
    done = [_place(parts, form, part) for part in range(count)]
    form.join(done, parts, output, fingerprint)
    if watcher is not None:
        watcher.end([_kept(place) for place in done], rows)
    shutil.rmtree(parts)
    return ScoreResult(rows, resumed, job.output)


def _parts_folder(output: Path, fingerprint: str) -> Path:
    """The parts of this job; those of another job for the same output are dropped."""
    folder = output.parent / f".{output.name}.parts"
    mark = folder / "job.json"
    if folder.exists() and not (mark.exists() and msgspec.json.decode(mark.read_bytes()) == fingerprint):
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    write_atomic(mark, msgspec.json.encode(fingerprint), role=f"the output {output.name}")
    return folder


def _place(parts: Path, form: Format, number: int) -> Path:
    return parts / f"{number:06d}{form.suffix}"


def _kept(place: Path) -> Path:
    """Where a watcher keeps what it wants of a part."""
    return place.with_suffix(".kept")


def _done_parts(
    job: ScoreJob, form: Format, parts: Path, manifest: Manifest, runtime: Runtime, watcher: Watcher | None
) -> Iterator[tuple[int, bool]]:
    """Rows of each part as it is done, in order, and whether it was there already. Few parts are in memory."""
    start = 0
    with ThreadPoolExecutor(job.threads, thread_name_prefix="score") as pool:
        working: deque[tuple[int, Future[None] | None]] = deque()
        for number, batch in enumerate(job.batches()):
            place = _place(parts, form, number)
            future = None
            if not place.exists():
                future = pool.submit(_score_part, job, form, place, batch, start, manifest, runtime, watcher)
            working.append((batch.height, future))
            start += batch.height
            while len(working) > job.threads:
                yield _await(*working.popleft())
        while working:
            yield _await(*working.popleft())


def _await(height: int, future: Future[None] | None) -> tuple[int, bool]:
    if future is not None:
        future.result()
    return height, future is None


def _score_part(
    job: ScoreJob,
    form: Format,
    place: Path,
    batch: pl.DataFrame,
    start: int,
    manifest: Manifest,
    runtime: Runtime,
    watcher: Watcher | None,
) -> None:
    batch = job.completed(batch)
    outputs = runtime.predict_frame(batch)
    named = batch.get_column(job.key) if job.key is not None else _numbers(start, batch.height)
    kept = [name for name in job.keep if name != job.key]
    scored = pl.DataFrame([named, *answers_of(outputs, manifest.output)])
    if kept:
        own = columns_of(batch, kept)
        scored = own.hstack(scored) if job.key is None else scored.hstack(own)
    temporary = place.with_suffix(".writing")
    with naming_a_full_disk("the scored rows"):
        form.write(scored, temporary, start == 0)
        if watcher is not None:  # before the part counts as done
            watcher.part(_kept(place), start, batch, outputs)
    temporary.replace(place)


def _numbers(start: int, height: int) -> pl.Series:
    return pl.Series(ROW, np.arange(start, start + height, dtype=np.int64))


def answers_of(outputs: NDArray[np.float64], spec: OutputSpec) -> list[pl.Series]:
    """The columns of an answer: the prediction, and of a classifier one probability column a class."""
    if spec.task is Task.REGRESSION:
        return [pl.Series("prediction", outputs[:, 0])]
    labels = pl.Series(spec.classes).gather(predicted_classes(outputs, spec))
    probabilities = [pl.Series(f"probability_{label}", outputs[:, i]) for i, label in enumerate(spec.classes)]
    return [labels.alias("prediction"), *probabilities]
