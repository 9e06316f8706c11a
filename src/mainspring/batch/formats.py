"""The formats of a scored output: how a part is written, and how the parts become one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mainspring.errors import StoreError, UsageError
from mainspring.stores.atomic import naming_a_full_disk, sync_folder

WritePart = Callable[[pl.DataFrame, Path, bool], None]
Join = Callable[[Sequence[Path], Path, Path, str], None]


@dataclass(frozen=True, slots=True)
class Format:
    """One output format.

    Attributes:
        write: writes the rows of a part to a place; the flag says whether it is the first part.
        join: makes the output of the parts, in order: parts, a folder for its working files, the output's name,
            and an id under which repeating it changes nothing.
    """

    suffix: str
    write: WritePart
    join: Join


def format_of(output: str) -> Format:
    """The format that the output's name asks for.

    Raises:
        UsageError: the name tells none.
        StoreError: a folder has that name.

    Examples:
        >>> format_of("scores.csv").suffix
        '.csv'
    """
    name = output.lower()
    if name.endswith((".delta", "/")):
        return Format(".arrow", _write_arrow, _join_delta)
    if Path(output).is_dir():
        raise StoreError(f"the output {output} is a folder", cure="give the name of a file, or end it in .delta")
    if name.endswith((".parquet", ".pq")):
        return Format(".arrow", _write_arrow, _join_parquet)
    if name.endswith(".csv"):
        return Format(".csv", _write_csv, _join_csv)
    raise UsageError(
        f"the output {output!r} tells no format",
        cure="end its name in .parquet, .csv or .delta",
        where={"file": output},
    )


def _write_arrow(rows: pl.DataFrame, place: Path, first: bool) -> None:  # noqa: ARG001 - as the others
    # As it stands in memory: what is compressed is compressed once, when the parts are joined.
    rows.write_ipc(place, compat_level=pl.CompatLevel.oldest())


def _write_csv(rows: pl.DataFrame, place: Path, first: bool) -> None:
    rows.write_csv(place, include_header=first)


def _join_parquet(parts: Sequence[Path], working: Path, output: Path, job: str) -> None:  # noqa: ARG001
    joined = working / "joined"
    with naming_a_full_disk(f"the output {output.name}"):
        # In order, and few row groups at a time in memory.
        pl.scan_ipc(list(parts)).sink_parquet(joined, compression="zstd", compression_level=1)
        _publish(joined, output)


def _join_csv(parts: Sequence[Path], working: Path, output: Path, job: str) -> None:  # noqa: ARG001
    joined = working / "joined"
    with naming_a_full_disk(f"the output {output.name}"):
        with joined.open("wb") as whole:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, whole, 1 << 20)
        _publish(joined, output)


def _join_delta(parts: Sequence[Path], working: Path, output: Path, job: str) -> None:  # noqa: ARG001
    import pyarrow as pa

    from mainspring.stores.tables_delta import DeltaTables

    with pa.ipc.open_file(parts[0]) as first:
        schema = first.schema

    def batches() -> Iterator[pa.RecordBatch]:
        for part in parts:
            with pa.ipc.open_file(part) as file:
                yield from (file.get_batch(number) for number in range(file.num_record_batches))

    rows = pa.RecordBatchReader.from_batches(schema, batches())
    DeltaTables(str(output.parent)).create(output.name, rows, transaction=job)


def _publish(joined: Path, output: Path) -> None:
    with joined.open("rb+") as file:
        os.fsync(file.fileno())
    joined.replace(output)
    sync_folder(output.parent)
