"""Snapshots: the rows of a source as they were, named by what they contain, readable for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from mainspring.clock import Clock
from mainspring.data.parsing import DTYPES
from mainspring.data.reading import read_parts
from mainspring.data.sources.opening import open_source
from mainspring.data.sources.part import Part
from mainspring.domain.ports import Records, Tables
from mainspring.domain.schema import Schema
from mainspring.domain.snapshot import Snapshot, SourcePart, snapshot_id
from mainspring.domain.source import Source
from mainspring.errors import UnknownSnapshot

ROW = "__row"  # number of a row within its snapshot, from 0
PART = "__part"  # index of the part that it came from


class Snapshots:
    """Takes, finds and reads snapshots.

    A snapshot is a version of a Delta table. Its table is named after the first snapshot in it; each write carries
    the snapshot's id as its transaction, so that a killed `take` goes on where it was.
    """

    def __init__(self, tables: Tables, records: Records, clock: Clock) -> None:
        self._tables = tables
        self._records = records
        self._clock = clock

    def take(
        self,
        source: Source,
        schema: Schema,
        root: Path,
        *,
        progress: Callable[[int], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """The snapshot of a source as it is now; the same content gives the one that is there.

        Where the source is an earlier one with files appended, only the new files are read and written.

        Args:
            root: the project's folder.
            progress: told the number of rows written so far.
            environ: where `$NAME` in a database URL is taken from.

        Raises:
            DataError: the source cannot be read; no snapshot is left.
            StoreError: the tables cannot be written.
        """
        with open_source(source, root, environ) as parts:
            digests = [part.digest() for part in parts]
            ids = [
                snapshot_id(schema.reading_digest(), source.read_options(), digests[: count + 1])
                for count in range(len(parts))
            ]
            if (known := self._records.snapshot(ids[-1])) is not None and self._tables.exists(known.table):
                return known
            base = self._base(ids)
            first = 0 if base is None else len(base.parts)
            stream = _RowStream(parts, schema, first, 0 if base is None else base.rows, progress)
            table = f"snapshots/{ids[-1][:24]}" if base is None else base.table
            version = self._tables.committed(table, ids[-1]) if self._tables.exists(table) else None
            if version is not None:  # an earlier attempt was killed after the commit
                rows = self._counted(table, version)
            else:
                version = stream.into(self._tables.create if base is None else self._tables.append, table, ids[-1])
                rows = stream.rows
            old = () if base is None else base.parts
            new = [SourcePart(parts[i].name, digests[i], rows[i]) for i in range(first, len(parts))]
            snapshot = Snapshot(
                id=ids[-1],
                source=describe(source),
                table=table,
                version=version,
                rows=sum(part.rows for part in (*old, *new)),
                parts=(*old, *new),
                columns=tuple((column.name, str(column.kind)) for column in schema),
                created_at=self._clock.now(),
                parent=None if base is None else base.id,
            )
            self._records.put_snapshot(snapshot)
            return snapshot

    def read(self, snapshot_id: str) -> pl.LazyFrame:
        """The rows of a snapshot in order, with `__row` (0-based).

        Raises:
            UnknownSnapshot: there is none of this id.
        """
        snapshot = self.find(snapshot_id)
        frame: pl.LazyFrame = self._tables.scan(snapshot.table, snapshot.version)
        return frame.drop(PART)

    def find(self, text: str) -> Snapshot:
        """A snapshot by its id or by a beginning of it, of at least six characters.

        Raises:
            UnknownSnapshot: there is none, or more than one.
        """
        found = self._records.snapshot(text) if len(text) >= 6 else None
        if found is None:
            raise UnknownSnapshot(
                f"there is no snapshot {text!r}",
                cure="give its id or at least its first six characters",
                where={"snapshot": text},
            )
        return found

    def as_of(self, source_name: str, time: datetime) -> Snapshot:
        """The newest snapshot of a source (see `describe`) that was taken at or before a time.

        Raises:
            UnknownSnapshot: there is none so old.
        """
        found = self._records.snapshots(source=source_name, as_of=time, limit=1)
        if not found:
            raise UnknownSnapshot(
                f"there is no snapshot of {source_name} from {time:%Y-%m-%d %H:%M:%S} or before",
                cure="ask for a later time",
                where={"source": source_name},
            )
        return found[0]

    def _base(self, ids: Sequence[str]) -> Snapshot | None:
        """The longest earlier snapshot whose parts are the first ones of ours and whose table can be appended to.

        The id of a snapshot of the first parts alone holds its schema, options and digests, so if there is one, it
        is read in the same way. A table that went on with other parts is left alone.
        """
        for earlier in reversed(ids[:-1]):
            found = self._records.snapshot(earlier)
            if found is None or not self._tables.exists(found.table):
                continue
            if self._tables.version(found.table) == found.version:
                return found
            if self._tables.committed(found.table, ids[-1]) is not None:
                return found
        return None

    def _counted(self, table: str, version: int) -> Counter[int]:
        counts = self._tables.scan(table, version).group_by(PART).len().collect()
        return Counter(dict(counts.iter_rows()))


def describe(source: Source) -> str:
    """A source for people: its locations; a password in a URL is not shown."""
    if not source.is_sql:
        return ", ".join(source.locations)
    scheme, _, rest = source.locations[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class _RowStream:
    """The typed rows of the parts from `first` on, numbered, as an Arrow stream.

    Attributes:
        rows: how many rows each part gave, by its index.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        schema: Schema,
        first: int,
        rows_before: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.rows = Counter[int]()
        self._parts = parts
        self._schema = schema
        self._first = first
        self._before = rows_before
        self._progress = progress
        self._error: Exception | None = None

    def into(self, write: Callable[..., int], table: str, transaction: str) -> int:
        """Write the rows to a table. An error of the source comes out as it is, not wrapped by Arrow."""
        types = {column.name: DTYPES[column.kind] for column in self._schema} | {PART: pl.Int32(), ROW: pl.Int64()}
        arrow = pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        reader = pa.RecordBatchReader.from_batches(arrow, self._batches())
        try:
            return write(table, reader, transaction=transaction)
        except Exception:
            if self._error is not None:
                raise self._error from None
            raise

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._numbered()
        except Exception as error:
            self._error = error
            raise

    def _numbered(self) -> Iterator[pa.RecordBatch]:
        number = self._before
        for place, frame in read_parts(self._parts[self._first :], self._schema, exact=True):
            index = self._first + place
            numbered = frame.with_columns(
                pl.lit(index, pl.Int32).alias(PART),
                pl.int_range(number, number + frame.height, dtype=pl.Int64).alias(ROW),
            )
            number += frame.height
            self.rows[index] += frame.height
            yield from numbered.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()
            if self._progress is not None:
                self._progress(number - self._before)
