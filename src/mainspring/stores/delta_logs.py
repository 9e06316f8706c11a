"""Tables that grow all the time: partitioned, with the place in the stream that each commit takes them to.

They keep a week of versions, not all of them: a commit every ten seconds would be three million a year.
"""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import RemoveAction, create_table_with_add_actions

from mainspring.clock import SYSTEM_CLOCK
from mainspring.errors import StoreError, WorkspaceBusy
from mainspring.stores.atomic import naming_a_full_disk
from mainspring.stores.delta_files import (
    FILE_BYTES,
    LOG,
    Written,
    as_stored,
    delta_schema,
    log_entry,
    stored_schema,
    sync_log,
    write_files,
)

if TYPE_CHECKING:  # who only writes needs no frames
    import polars as pl

HISTORY = timedelta(days=7)  # for which old versions, and files that no version needs, are kept
_CONFIGURATION: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "true",
    "delta.logRetentionDuration": f"interval {HISTORY.days} days",
    "delta.deletedFileRetentionDuration": f"interval {HISTORY.days} days",
    "delta.checkpointInterval": "100",
}
_ATTEMPTS = 20  # at a commit that others were faster than
_BATCH = 65_536  # rows


class DeltaLogs(ABC):
    """The part of the port `Tables` that is about such tables."""

    @abstractmethod
    def _folder(self, table: str) -> Path: ...

    @abstractmethod
    def _open(self, table: str, version: int | None = None) -> DeltaTable: ...

    @abstractmethod
    def _frame(self, delta: DeltaTable, paths: list[Path]) -> pl.LazyFrame: ...

    @abstractmethod
    def exists(self, table: str) -> bool: ...

    def record(self, table: str, rows: Any, *, partition: str, offsets: Mapping[str, tuple[int, int]]) -> int:
        """See `Tables.record`. `rows` is small enough to be in memory.

        Raises:
            StoreError: an offset is no longer what the caller thinks, or a column is of another kind.
            WorkspaceBusy: others kept writing the table at the same time.
            DiskFull: there is no room; nothing is left but unreferenced files.
        """
        folder = self._folder(table)
        whole = as_stored(rows)
        written: list[tuple[str, Written]] = []
        with naming_a_full_disk(f"the table {table}"):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                for value, part in _by_partition(whole, partition):
                    place = folder / f"{partition}={value}"
                    place.mkdir(exist_ok=True)
                    written.append((value, write_files(place, part, table)))
                return self._commit_record(table, whole.schema, partition, written, offsets)
            except BaseException:
                for value, files in written:
                    files.discard(folder / f"{partition}={value}")
                raise

    def _commit_record(
        self,
        table: str,
        schema: pa.Schema,
        partition: str,
        written: Sequence[tuple[str, Written]],
        offsets: Mapping[str, tuple[int, int]],
    ) -> int:
        folder = self._folder(table)
        properties = CommitProperties(
            app_transactions=[Transaction(name, last) for name, (_, last) in sorted(offsets.items())],
            max_commit_retries=0,
        )
        mark = secrets.token_hex(8)
        for _ in range(_ATTEMPTS):
            delta = self._open(table) if self.exists(table) else None
            self._check_offsets(table, delta, offsets)
            if delta is not None and self._widen(table, delta, schema):
                continue
            version = 0 if delta is None else delta.version() + 1
            actions = [
                action
                for value, files in written
                for action in files.publish(
                    folder / f"{partition}={value}", version, mark, partition={partition: value}
                )
            ]
            try:
                if delta is None:
                    create_table_with_add_actions(
                        str(folder),
                        delta_schema(schema, table),
                        actions,
                        mode="error",
                        partition_by=[partition],
                        configuration=_CONFIGURATION,
                        commit_properties=properties,
                    )
                else:
                    delta.create_write_transaction(
                        [*actions], "append", delta.schema(), [partition], commit_properties=properties
                    )
            except DeltaError:
                if not self.exists(table) or self._open(table).version() < version:
                    raise
                continue  # someone else took this version: the next one
            sync_log(folder)
            return version
        raise _busy(table)

    def offset(self, table: str, application: str) -> int:
        """See `Tables.offset`."""
        if not self.exists(table):
            return 0
        return int(self._open(table).transaction_version(application) or 0)

    def offsets(self, table: str, applications: Sequence[str]) -> Mapping[str, int]:
        """See `Tables.offsets`."""
        if not self.exists(table):
            return dict.fromkeys(applications, 0)
        delta = self._open(table)
        return {name: int(delta.transaction_version(name) or 0) for name in applications}

    def has_grown(self, table: str, since: int) -> bool:
        """See `Tables.has_grown`. Each version has a file of its own in the log: one look at the disk."""
        return log_entry(self._folder(table), since + 1).exists()

    def columns(self, table: str) -> Mapping[str, str]:
        """See `Tables.columns`."""
        fields = self._open(table).schema().fields
        return {field.name: str(getattr(field.type, "type", "array")) for field in fields}

    def partitions(self, table: str) -> Mapping[str, Sequence[int]]:
        """See `Tables.partitions`."""
        found: dict[str, list[int]] = {}
        for _, value, size in _files(self._open(table)):
            found.setdefault(value, []).append(size)
        return dict(sorted(found.items()))

    def compact(self, table: str, value: str, *, smaller_than: int = FILE_BYTES, at_least: int = 2) -> int:
        """See `Tables.compact`. A row group at a time is in memory."""
        delta = self._open(table)
        small = sorted(path for path, of, size in _files(delta) if of == value and size < smaller_than)
        if len(small) < at_least:
            return 0
        (partition,) = delta.metadata().partition_columns
        folder = self._folder(table)
        place = folder / f"{partition}={value}"
        schema = stored_schema(pa.schema(delta.schema().to_arrow()))
        schema = schema.remove(schema.get_field_index(partition))
        with naming_a_full_disk(f"the table {table}"):
            reader = pa.RecordBatchReader.from_batches(schema, _rows([folder / path for path in small], schema))
            written = write_files(place, reader, table)
            try:
                self._replace(table, small, (value, written), partition)
            except BaseException:
                written.discard(place)
                raise
        return len(small)

    def rewrite(self, table: str, value: str, change: Callable[[Any], Any]) -> int:
        """See `Tables.rewrite`."""
        delta = self._open(table)
        paths = sorted(path for path, of, _ in _files(delta) if of == value)
        if not paths:
            return 0
        (partition,) = delta.metadata().partition_columns
        folder = self._folder(table)
        place = folder / f"{partition}={value}"
        schema = stored_schema(pa.schema(delta.schema().to_arrow()))
        rows = as_stored(change(self._frame(delta, [folder / path for path in paths])))
        inside = rows.select([name for name in schema.names if name != partition])
        with naming_a_full_disk(f"the table {table}"):
            written = write_files(place, inside, table)
            try:
                self._replace(table, paths, (value, written), partition)
            except BaseException:
                written.discard(place)
                raise
        return len(paths)

    def drop(self, table: str, *, before: str) -> int:
        """See `Tables.drop`."""
        delta = self._open(table)
        (partition,) = delta.metadata().partition_columns
        old = [(path, value) for path, value, _ in _files(delta) if value < before]
        if old:
            self._replace(table, [path for path, _ in old], None, partition)
        return len({value for _, value in old})

    def tidy(self, table: str) -> int:
        """See `Tables.tidy`."""
        delta = self._open(table)
        with naming_a_full_disk(f"the table {table}"):
            delta.create_checkpoint()
            delta.cleanup_metadata()
        folder = self._folder(table)
        needed = {path for path, _, _ in _files(self._open(table))}
        oldest = (SYSTEM_CLOCK.now() - HISTORY).timestamp()
        gone = 0
        for path in folder.glob("*/*"):
            name = path.relative_to(folder).as_posix()
            if path.parent.name == LOG or name in needed:
                continue
            with suppress(OSError):
                if path.stat().st_mtime < oldest:  # of a file that was replaced: when it was
                    path.unlink()
                    gone += 1
        for empty in folder.glob("*=*"):
            with suppress(OSError):
                empty.rmdir()
        return gone

    def _check_offsets(self, table: str, delta: DeltaTable | None, offsets: Mapping[str, tuple[int, int]]) -> None:
        for application, (first, _) in offsets.items():
            present = int(delta.transaction_version(application) or 0) if delta is not None else 0
            if present != first:
                raise StoreError(
                    f"the table {table} has {application} up to {present}, not up to {first}",
                    cure="read on from there; another process writes the same table",
                    where={"table": table, "offset": present},
                )

    def _widen(self, table: str, delta: DeltaTable, schema: pa.Schema) -> bool:
        """Add the columns that are new; whether there were any."""
        present = {field.name: field for field in delta.schema().fields}
        new = []
        for field in delta_schema(schema, table).fields:
            if field.name not in present:
                new.append(field)
            elif present[field.name].type != field.type:
                raise StoreError(
                    f"the column {field.name!r} of the table {table} is of another kind",
                    cure="give it another name",
                    where={"table": table, "column": field.name},
                )
        if not new:
            return False
        everything = pa.schema(
            [*pa.schema(delta.schema().to_arrow()), *(f for f in schema if f.name not in present)]
        )
        delta_schema(everything, table)  # names that differ in upper and lower case only
        version = delta.version()
        try:
            # Of our own: it goes on to the new version by itself, and others hold what `_open` gave.
            own = self._open(table, version)
            own.alter.add_columns(new, commit_properties=CommitProperties(max_commit_retries=0))
        except DeltaError:
            if self._open(table).version() == version:
                raise
        sync_log(self._folder(table))
        return True

    def _replace(
        self, table: str, paths: Sequence[str], merged: tuple[str, Written] | None, partition: str
    ) -> None:
        folder = self._folder(table)
        mark = secrets.token_hex(8)
        for _ in range(_ATTEMPTS):
            delta = self._open(table)
            present = {path: (value, size) for path, value, size in _files(delta)}
            if not present.keys() >= set(paths):
                raise WorkspaceBusy(
                    f"the table {table} is being merged by another process",
                    cure="let that one do it",
                    where={"table": table},
                )
            version = delta.version() + 1
            now = int(SYSTEM_CLOCK.now().timestamp() * 1000)
            actions: list[Any] = [
                RemoveAction(path, merged is None, now, present[path][1], {partition: present[path][0]})
                for path in paths
            ]
            if merged is not None:
                value, files = merged
                place = folder / f"{partition}={value}"
                actions += files.publish(place, version, mark, partition={partition: value}, new=False)
            try:
                delta.create_write_transaction(
                    actions,
                    "append",
                    delta.schema(),
                    [partition],
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            except DeltaError:
                if self._open(table).version() < version:
                    raise
                continue
            sync_log(folder)
            for path in paths:
                with suppress(OSError):
                    os.utime(folder / path)  # from now on it is kept for those who still read it
            return
        raise _busy(table)


def _files(delta: DeltaTable) -> list[tuple[str, str, int]]:
    """Path, partition and bytes of each data file of a version."""
    (partition,) = delta.metadata().partition_columns
    actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
    return [
        (path, str(value), size)
        for path, value, size in zip(
            actions.column("path").to_pylist(),
            actions.column(f"partition.{partition}").to_pylist() if actions.num_rows else (),
            actions.column("size_bytes").to_pylist(),
            strict=True,
        )
    ]


def _by_partition(rows: pa.Table, partition: str) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow.compute as pc  # takes a while, and who only reads can do without

    column = rows.column(partition)
    for value in pc.unique(column):  # as Arrow's: to make one imports pandas where it is installed
        yield str(value.as_py()), rows.filter(pc.equal(column, value)).drop_columns([partition])


def _rows(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                columns = [
                    batch.column(field.name).cast(field.type)
                    if field.name in batch.schema.names
                    else pa.nulls(batch.num_rows, field.type)
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _busy(table: str) -> WorkspaceBusy:
    return WorkspaceBusy(f"the table {table} is being written by others", cure="try again", where={"table": table})
