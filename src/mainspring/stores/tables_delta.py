"""Tables on Delta Lake: every commit is a version, and every version can be read for ever.

The data files are written here and only committed by delta-rs: its own writer shuffles rows between files and
keeps a good part of a stream in memory, and a snapshot is its rows *in order*. A file's name tells its place:
`part-<version>-<transaction>-<number>.parquet`.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import create_table_with_add_actions

from mainspring.clock import SYSTEM_CLOCK
from mainspring.errors import StoreError, WorkspaceBusy
from mainspring.stores.atomic import naming_a_full_disk
from mainspring.stores.delta_added import added_files
from mainspring.stores.delta_files import LOG, Written, delta_schema, sync_log, write_files
from mainspring.stores.delta_logs import DeltaLogs
from mainspring.stores.delta_newest import NewestVersions

if TYPE_CHECKING:  # who only writes needs no frames
    import polars as pl

# By default a log older than 30 days is cleaned up, and old versions can no longer be read.
_CONFIGURATION: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
_ATTEMPTS = 20  # at a commit that others were faster than


class DeltaTables(DeltaLogs):
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
        self._newest = NewestVersions()

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
                written = write_files(folder, rows, table)
            except BaseException:
                with suppress(OSError):
                    folder.rmdir()  # where nothing else is in it
                raise
            actions = written.publish(folder, 0, transaction)
            try:
                create_table_with_add_actions(
                    str(folder),
                    delta_schema(written.schema, table),
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
            sync_log(folder)
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
            written = write_files(folder, rows, table)
            try:
                return self._commit_append(table, folder, written, transaction)
            except BaseException:
                written.discard(folder)
                raise

    def _commit_append(self, table: str, folder: Path, written: Written, transaction: str) -> int:
        for _ in range(_ATTEMPTS):
            delta = self._open(table)
            if (version := delta.transaction_version(transaction)) is not None:
                written.discard(folder)
                return int(version)
            if delta.schema() != delta_schema(written.schema, table):
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
            sync_log(folder)
            return version
        raise WorkspaceBusy(
            f"the table {table} is being written by others", cure="try again", where={"table": table}
        )

    def committed(self, table: str, transaction: str) -> int | None:
        """The version that a transaction wrote, or `None` where it did not come to its commit."""
        version = self._open(table).transaction_version(transaction)
        return None if version is None else int(version)

    def exists(self, table: str) -> bool:
        return self._newest.exists(self._folder(table))

    def names(self, prefix: str) -> list[str]:
        """See `Tables.names`."""
        folder = self._folder(prefix)
        if not folder.is_dir():
            return []
        places = (place for place in folder.iterdir() if not place.name.startswith("."))
        found = (f"{prefix}/{place.name}" for place in places if (place / LOG).is_dir())
        return sorted(name for name in found if self.exists(name))

    def touch(self, table: str) -> bool:
        """See `Tables.touch`. It is the log's folder that tells: a commit changes its time, too."""
        try:
            os.utime(self._folder(table) / LOG)
        except FileNotFoundError:
            return False
        return True

    def remove(self, table: str, *, unused_for: timedelta) -> bool:
        """See `Tables.remove`."""
        folder = self._folder(table)
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        if not _is_older(folder, unused_for):
            return False
        try:
            folder.rename(aside)  # whole or not at all
        except FileNotFoundError:  # another process was faster
            return False
        if not _is_older(aside, unused_for):  # somebody came meanwhile
            with suppress(OSError):
                aside.rename(folder)
            return False
        rmtree(aside, ignore_errors=True)
        return True

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
        # Not `pa.table`, which imports pandas where it is installed.
        actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
        paths = [folder / name for name in sorted(actions.column("path").to_pylist())]
        for path in paths:
            if not path.is_file():
                raise StoreError(
                    f"the table {table} has lost its file {path.name}",
                    cure="restore the workspace's tables folder from a backup",
                    where={"table": table, "file": path.name},
                )
        return self._frame(delta, paths)

    def added(self, table: str, since: int) -> tuple[pl.LazyFrame, int]:
        """See `Tables.added`."""
        delta = self._open(table)
        newest = delta.version()
        if since > newest:
            raise StoreError(
                f"the table {table} has no version {since} yet",
                cure=f"ask for what came after version {newest} or an earlier one",
                where={"table": table, "version": since},
            )
        folder = self._folder(table)
        return self._frame(delta, [folder / path for path in added_files(folder, table, since, newest)]), newest

    def _frame(self, delta: DeltaTable, paths: list[Path]) -> pl.LazyFrame:
        """The rows of these files of a table, with the columns of that version."""
        import polars as pl

        partitions = delta.metadata().partition_columns
        if paths and not partitions:
            return pl.scan_parquet(paths, glob=False, hive_partitioning=False)
        empty = pl.DataFrame(pa.Table.from_batches([], pa.schema(delta.schema().to_arrow())))
        if not paths:
            return empty.lazy()
        # Older files lack the columns that came later; the partition stands in a file's path only.
        inside = {name: kind for name, kind in empty.schema.items() if name not in partitions}
        return pl.scan_parquet(
            paths,
            glob=False,
            schema=inside,
            missing_columns="insert",
            hive_partitioning=True,
            hive_schema={name: empty.schema[name] for name in partitions},
        ).select(empty.columns)

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
            folder = self._folder(table)
            return self._newest.open(folder) if version is None else DeltaTable(str(folder), version=version)
        except TableNotFoundError as error:
            if version is not None and self.exists(table):
                raise _no_version(table, version, error) from error
            raise StoreError(
                f"there is no table {table}", cure="check the name and the workspace", where={"table": table}
            ) from error
        except DeltaError as error:
            raise _no_version(table, version, error) from error


def _is_older(folder: Path, age: timedelta) -> bool:
    try:
        used = (folder / LOG).stat().st_mtime
    except FileNotFoundError:
        return False
    return used <= (SYSTEM_CLOCK.now() - age).timestamp()


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
