"""The data files of Delta tables: Parquet, in order, a row group at a time, synced before they are named."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema as DeltaSchema
from deltalake.transaction import AddAction

from mainspring.domain.ids import digest_bytes
from mainspring.errors import StoreError
from mainspring.stores.atomic import sync_folder

_GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20
FILE_BYTES = 256 << 20
LOG = "_delta_log"
"""The folder of a table's log."""


@dataclass(slots=True)
class Written:
    """Data files that are on disk but in no version yet."""

    schema: pa.Schema
    names: list[str]
    stats: list[str]

    def publish(
        self,
        folder: Path,
        version: int,
        transaction: str,
        *,
        partition: Mapping[str, str] | None = None,
        new: bool = True,
    ) -> list[AddAction]:
        """Give the files the names of their place in the table.

        Args:
            folder: where they are: the table's, or that of the partition.
            new: whether the rows are; those of merged files were there before.
        """
        mark = digest_bytes(transaction.encode())[:12]
        within = f"{folder.name}/" if partition else ""
        actions = []
        for number, name in enumerate(self.names):
            final = f"part-{version:012d}-{mark}-{number:05d}.parquet"
            (folder / name).replace(folder / final)
            self.names[number] = final
            state = (folder / final).stat()
            made = state.st_mtime_ns // 10**6
            actions.append(
                AddAction(within + final, state.st_size, partition or {}, made, new, self.stats[number])
            )
        sync_folder(folder)
        return actions

    def discard(self, folder: Path) -> None:
        for name in self.names:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def write_files(folder: Path, rows: Any, table: str) -> Written:
    """Write a stream of rows to Parquet files, in order, a row group at a time."""
    stream = pa.RecordBatchReader.from_stream(rows)
    schema = stored_schema(stream.schema)
    delta_schema(schema, table)  # refuse before the first byte is written
    written = Written(schema, [], [])
    writer: _FileWriter | None = None
    try:
        for group in _row_groups(stream, schema):
            if writer is None:
                writer = _FileWriter(folder, schema)
                written.names.append(writer.name)
            writer.write(group)
            if writer.bytes >= FILE_BYTES:
                written.stats.append(writer.close())
                writer = None
        if writer is not None:
            written.stats.append(writer.close())
    except BaseException:
        if writer is not None:
            writer.abandon()
        written.discard(folder)
        raise
    return written


def as_stored(rows: Any) -> pa.Table:
    """A stream that fits into memory, with the types that the files have."""
    stream = pa.RecordBatchReader.from_stream(rows)
    schema = stored_schema(stream.schema)
    tables = [_with_types(batch, schema) for batch in stream]
    # Not `schema.empty_table()`, which imports pandas where it is installed: 0.2 s.
    return pa.concat_tables(tables) if tables else pa.Table.from_batches([], schema)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, stored(field.type)) for field in schema])


class _FileWriter:
    """One data file under a temporary name."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.name = f".{secrets.token_hex(8)}.tmp"
        self._file = (folder / self.name).open("wb")
        self._writer = pq.ParquetWriter(self._file, schema, compression="zstd", store_schema=False)
        self._rows = 0
        self._first: int | None = None
        self._last: int | None = None

    @property
    def bytes(self) -> int:
        return self._file.tell()

    def write(self, group: pa.Table) -> None:
        if "__row" in group.column_names:
            numbers = group.column("__row")
            self._first = numbers[0].as_py() if self._first is None else self._first
            self._last = numbers[-1].as_py()
        self._rows += group.num_rows
        self._writer.write_table(group, row_group_size=max(group.num_rows, 1))

    def close(self) -> str:
        """Finish the file and return its statistics as Delta keeps them."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        stats: dict[str, Any] = {"numRecords": self._rows}
        if self._first is not None:
            stats |= {"minValues": {"__row": self._first}, "maxValues": {"__row": self._last}}
        return json.dumps(stats)

    def abandon(self) -> None:
        """Let go of a file that will not be finished."""
        with suppress(Exception):
            self._writer.close()
        with suppress(OSError):
            self._file.close()


def _row_groups(stream: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    rows = size = 0
    for batch in (_with_types(each, schema) for each in stream):
        for start in range(0, batch.num_rows, _GROUP_ROWS):
            piece = batch.slice(start, _GROUP_ROWS)
            waiting.append(piece)
            rows += piece.num_rows
            size += piece.nbytes
            if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                yield pa.concat_tables(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.concat_tables(waiting)


def _with_types(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    if any(_has_views(kind) for kind in batch.schema.types):
        # Older versions of Arrow cannot cast a view; Polars can.
        import polars as pl

        batch = pl.DataFrame(batch).to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    columns = [column.cast(kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def _has_views(kind: pa.DataType) -> bool:
    return pa.types.is_string_view(kind) or (pa.types.is_large_list(kind) and _has_views(kind.value_type))


def stored(kind: pa.DataType) -> pa.DataType:
    """The nearest type that Delta has: it knows no unsigned integers, no nanoseconds and no dictionaries."""
    if pa.types.is_dictionary(kind):
        return stored(kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string() if pa.types.is_null(kind) else pa.large_string()
    if pa.types.is_large_list(kind):
        return pa.large_list(stored(kind.value_type))
    if pa.types.is_unsigned_integer(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    return kind


def delta_schema(schema: pa.Schema, table: str) -> DeltaSchema:
    seen: dict[str, str] = {}
    for name in schema.names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise StoreError(
                f"the columns {other!r} and {name!r} differ only in upper and lower case",
                cure="rename one of them in the source: a table cannot keep both",
                where={"table": table, "column": name},
            )
    try:
        return DeltaSchema.from_arrow(schema)
    except Exception as error:  # delta-rs raises a bare Exception for a type that it does not know
        raise StoreError(
            f"the rows cannot be kept in the table {table}: {error}",
            cure="convert the column to numbers, text, booleans or times",
            where={"table": table},
        ) from error


def log_entry(folder: Path, version: int) -> Path:
    """Each version of a table has a file of its own in the log."""
    return folder / LOG / f"{version:020d}.json"


def sync_log(folder: Path) -> None:
    log = folder / LOG
    for entry in sorted(log.iterdir(), key=lambda entry: entry.name)[-2:]:  # to compare paths takes far longer
        if entry.is_file():
            descriptor = os.open(entry, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    sync_folder(log)
