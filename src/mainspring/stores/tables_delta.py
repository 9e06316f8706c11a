"""Tables on Delta Lake: every commit is a version, and every version can be read for ever.

The data files are written here and only committed by delta-rs: its own writer shuffles rows between files and
keeps a good part of a stream in memory, and a snapshot is its rows *in order*. A file's name tells its place:
`part-<version>-<transaction>-<number>.parquet`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from mainspring.domain.ids import digest_bytes
from mainspring.errors import StoreError, WorkspaceBusy
from mainspring.stores.atomic import naming_a_full_disk, sync_folder

# By default a log older than 30 days is cleaned up, and old versions can no longer be read.
_CONFIGURATION: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20
_FILE_BYTES = 256 << 20
_ATTEMPTS = 20  # at a commit that others were faster than


class DeltaTables:
    """The port `Tables` over a local folder.

    Args:
        root: the folder under which every table has a folder of its own.
    """

    def __init__(self, root: str) -> None:
        scheme, separator, rest = root.partition("://")
        if separator and scheme != "file":
            raise StoreError(
                f"tables cannot be kept under {scheme}:// yet",
                cure="give a folder, e.g. .mainspring/tables",
                where={"scheme": scheme},
            )
        self._root = Path(rest if separator else root)

    def create(self, table: str, rows: Any, *, transaction: str) -> int:
        """See `Tables.create`. `rows` may be a stream of any length: a row group at a time is in memory.

        Raises:
            StoreError: another transaction has written a table of this name, or its columns cannot be kept.
            DiskFull: there is no room; nothing is left but unreferenced files.
        """
        if self.exists(table):
            return self._repeated(table, transaction)
        folder = self._folder(table)
        with naming_a_full_disk(f"the table {table}"):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                written = _write_files(folder, rows, table)
            except BaseException:
                with suppress(OSError):
                    folder.rmdir()  # where nothing else is in it
                raise
            actions = written.publish(folder, 0, transaction)
            try:
                create_table_with_add_actions(
                    str(folder),
                    _delta_schema(written.schema, table),
                    actions,
                    mode="error",
                    configuration=_CONFIGURATION,
                    commit_properties=_commit(transaction, 0),
                )
            except DeltaError as error:
                if self.exists(table):  # another process was faster
                    return self._repeated(table, transaction)
                raise StoreError(
                    f"the table {table} cannot be written: {error}",
                    cure="check the workspace's tables folder",
                    where={"table": table},
                ) from error
            _sync_log(folder)
        return 0

    def append(self, table: str, rows: Any, *, transaction: str) -> int:
        """See `Tables.append`.

        Raises:
            StoreError: no such table, or other columns than the table's.
            WorkspaceBusy: others kept writing the table at the same time.
            DiskFull: there is no room; nothing is left but unreferenced files.
        """
        if (version := self.committed(table, transaction)) is not None:
            return version
        folder = self._folder(table)
        with naming_a_full_disk(f"the table {table}"):
            written = _write_files(folder, rows, table)
            try:
                return self._commit_append(table, folder, written, transaction)
            except BaseException:
                written.discard(folder)
                raise

    def _commit_append(self, table: str, folder: Path, written: _Written, transaction: str) -> int:
        for _ in range(_ATTEMPTS):
            delta = self._open(table)
            if (version := delta.transaction_version(transaction)) is not None:
                written.discard(folder)
                return int(version)
            if delta.schema() != _delta_schema(written.schema, table):
                raise StoreError(
                    f"the rows have other columns than the table {table}",
                    cure="write them to a new table",
                    where={"table": table},
                )
            version = delta.version() + 1
            actions = written.publish(folder, version, transaction)
            try:
                delta.create_write_transaction(
                    [*actions], "append", delta.schema(), commit_properties=_commit(transaction, version)
                )
            except DeltaError:
                if self.version(table) < version:
                    raise
                continue  # someone else took this version: the next one
            _sync_log(folder)
            return version
        raise WorkspaceBusy(
            f"the table {table} is being written by others", cure="try again", where={"table": table}
        )

    def committed(self, table: str, transaction: str) -> int | None:
        """The version that a transaction wrote, or `None` where it did not come to its commit."""
        version = self._open(table).transaction_version(transaction)
        return None if version is None else int(version)

    def exists(self, table: str) -> bool:
        return DeltaTable.is_deltatable(str(self._folder(table)))

    def version(self, table: str) -> int:
        """The newest version. Raises `StoreError` where there is no such table."""
        return self._open(table).version()

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """The rows of a version, in the order in which they were written.

        Raises:
            StoreError: no such table or version, or a file of it is gone.
        """
        delta = self._open(table, version)
        folder = self._folder(table)
        names = pa.table(delta.get_add_actions(flatten=True)).column("path").to_pylist()
        paths = [folder / name for name in sorted(names)]
        for path in paths:
            if not path.is_file():
                raise StoreError(
                    f"the table {table} has lost its file {path.name}",
                    cure="restore the workspace's tables folder from a backup",
                    where={"table": table, "file": path.name},
                )
        if not paths:
            empty = pa.schema(delta.schema().to_arrow()).empty_table()
            return pl.LazyFrame(pl.from_arrow(empty))
        return pl.scan_parquet(paths, glob=False, hive_partitioning=False)

    def _repeated(self, table: str, transaction: str) -> int:
        version = self.committed(table, transaction)
        if version is None:
            raise StoreError(
                f"there is a table {table} already",
                cure="append to it, or use another name",
                where={"table": table},
            )
        return version

    def _folder(self, table: str) -> Path:
        parts = table.split("/")
        if not all(parts) or any(part in (".", "..") or "\\" in part for part in parts):
            raise StoreError(f"{table!r} is no name of a table", cure="use words joined by slashes")
        return self._root.joinpath(*parts)

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(str(self._folder(table)), version=version)
        except TableNotFoundError as error:
            if version is not None and self.exists(table):
                raise _no_version(table, version, error) from error
            raise StoreError(
                f"there is no table {table}", cure="check the name and the workspace", where={"table": table}
            ) from error
        except DeltaError as error:
            raise _no_version(table, version, error) from error


@dataclass(slots=True)
class _Written:
    """Data files that are on disk but in no version yet."""

    schema: pa.Schema
    names: list[str]
    stats: list[str]

    def publish(self, folder: Path, version: int, transaction: str) -> list[AddAction]:
        """Give the files the names of their place in the table."""
        mark = digest_bytes(transaction.encode())[:12]
        actions = []
        for number, name in enumerate(self.names):
            final = f"part-{version:012d}-{mark}-{number:05d}.parquet"
            (folder / name).replace(folder / final)
            self.names[number] = final
            state = (folder / final).stat()
            actions.append(
                AddAction(final, state.st_size, {}, state.st_mtime_ns // 10**6, True, self.stats[number])
            )
        sync_folder(folder)
        return actions

    def discard(self, folder: Path) -> None:
        for name in self.names:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def _write_files(folder: Path, rows: Any, table: str) -> _Written:
    """Write a stream of rows to Parquet files, in order, a row group at a time."""
    stream = pa.RecordBatchReader.from_stream(rows)
    schema = pa.schema([pa.field(field.name, _stored(field.type)) for field in stream.schema])
    _delta_schema(schema, table)  # refuse before the first byte is written
    written = _Written(schema, [], [])
    writer: _FileWriter | None = None
    try:
        for group in _row_groups(stream, schema):
            if writer is None:
                writer = _FileWriter(folder, schema)
                written.names.append(writer.name)
            writer.write(group)
            if writer.bytes >= _FILE_BYTES:
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
    if any(pa.types.is_string_view(kind) for kind in batch.schema.types):
        # Older versions of Arrow cannot cast a view; Polars can.
        batch = pl.DataFrame(batch).to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    columns = [column.cast(kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def _stored(kind: pa.DataType) -> pa.DataType:
    """The nearest type that Delta has: it knows no unsigned integers, no nanoseconds and no dictionaries."""
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string() if pa.types.is_null(kind) else pa.large_string()
    if pa.types.is_unsigned_integer(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    return kind


def _delta_schema(schema: pa.Schema, table: str) -> DeltaSchema:
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


def _no_version(table: str, version: int | None, error: Exception) -> StoreError:
    which = f"version {version} of " if version is not None else ""
    return StoreError(
        f"{which}the table {table} cannot be read: {str(error).splitlines()[0]}",
        cure="ask for a version that was written, or restore the tables folder from a backup",
        where={"table": table, "version": version},
    )


def _commit(transaction: str, version: int) -> CommitProperties:
    # Delta keeps one number for each application id: ours is the version that the transaction wrote.
    return CommitProperties(app_transactions=[Transaction(transaction, version)], max_commit_retries=0)


def _sync_log(folder: Path) -> None:
    log = folder / "_delta_log"
    for entry in sorted(log.iterdir())[-2:]:
        if entry.is_file():
            descriptor = os.open(entry, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    sync_folder(log)
