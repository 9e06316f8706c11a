"""The result of a SQL query, by SQLAlchemy URL."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec
import polars as pl
import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mainspring.data.columns import columns_of
from mainspring.data.sources.part import Batch, check_names
from mainspring.domain.source import Source
from mainspring.errors import DataError, SourceFormatError, SourceNotFound

_NAME = "the query"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[str | None]).decode


class SqlPart:
    """A query. Each value is kept as its text, with a note of which columns held strings.

    `digest` runs the query and keeps its rows in a temporary file, which `batches` then reads: a database may
    answer differently the second time.
    """

    typed = False
    decimal = "."
    name = _NAME

    def __init__(self, source: Source, root: Path, environ: Mapping[str, str]) -> None:
        assert source.query is not None  # `Source` makes sure
        self._url = _expanded(source.locations[0], root, environ)
        self._query = source.query
        self._names: tuple[str, ...] | None = None
        self._spool: IO[bytes] | None = None
        self._strings: frozenset[str] = frozenset()

    def columns(self) -> tuple[str, ...]:
        if self._names is None:
            with self._result() as result:
                self._names = _names(result)
        return self._names

    def digest(self) -> str:
        """SHA-256 of the names and the rows, in the order in which the database gave them."""
        self.close()
        spool = tempfile.TemporaryFile()  # noqa: SIM115, closed by `close`
        digest = hashlib.sha256()
        strings: set[str] = set()
        with self._result() as result:
            self._names = _names(result)
            digest.update(_encode(list(self._names)))
            for rows in result.partitions(10_000):
                for row in rows:
                    line = _encode([_text(value) for value in row]) + b"\n"
                    digest.update(line)
                    spool.write(line)
                strings |= _strings(self._names, rows)
        self._spool, self._strings = spool, frozenset(strings)
        return digest.hexdigest()

    def batches(self, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """See `Part.batches`.

        Raises:
            SourceNotFound: the database cannot be reached.
            SourceFormatError: it refuses the query, or there are no rows.
        """
        count = 0
        for batch in self._spooled(batch_rows) if self._spool is not None else self._streamed(batch_rows):
            count += batch.rows
            wanted = [name for name in batch.frame.columns if columns is None or name in columns]
            yield Batch(columns_of(batch.frame, wanted), batch.rows, batch.strings)
        if not count:
            raise SourceFormatError("the query gives no rows", cure="check its conditions", where={"file": _NAME})

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _spooled(self, batch_rows: int) -> Iterator[Batch]:
        assert self._spool is not None
        self._spool.seek(0)
        rows: list[list[str | None]] = []
        for line in self._spool:
            rows.append(_decode(line))
            if len(rows) >= batch_rows:
                yield Batch(self._frame(rows), len(rows), self._strings)
                rows = []
        if rows:
            yield Batch(self._frame(rows), len(rows), self._strings)

    def _streamed(self, batch_rows: int) -> Iterator[Batch]:
        with self._result() as result:
            self._names = _names(result)
            for rows in result.partitions(batch_rows):
                frame = self._frame([[_text(value) for value in row] for row in rows])
                yield Batch(frame, len(rows), _strings(self._names, rows))

    def _frame(self, rows: Sequence[Sequence[str | None]]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=dict.fromkeys(self.columns(), pl.String), orient="row")

    @contextmanager
    def _result(self) -> Iterator[sqlalchemy.CursorResult[Any]]:
        try:
            engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise SourceNotFound(
                f"there is no driver for {self._url.drivername}",
                cure="install it, e.g. pip install 'mainspring[postgres]'",
                where={"file": _NAME},
            ) from error
        try:
            with engine.connect() as connection:
                streaming = connection.execution_options(stream_results=True)
                # Not `text(…)`: a colon in the query is no parameter.
                result = streaming.exec_driver_sql(self._query)
                if not result.returns_rows:
                    raise SourceFormatError(
                        "the query gives no rows: it is no SELECT", cure="write a SELECT", where={"file": _NAME}
                    )
                yield result
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise SourceFormatError(
                f"the database {_masked(self._url)} refused: {reason}",
                cure="check the URL and the query",
                where={"file": _NAME},
            ) from error
        finally:
            engine.dispose()


def _names(result: sqlalchemy.CursorResult[Any]) -> tuple[str, ...]:
    names = tuple(result.keys())
    check_names(names, _NAME)
    return names


def _strings(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> frozenset[str]:
    return frozenset(name for place, name in enumerate(names) if any(isinstance(row[place], str) for row in rows))


def _text(value: Any) -> str | None:
    """A database's value as text; exact, so that equal values and only they have equal texts."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if value != value else repr(value)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | tuple | dict):
        return _encode(value).decode()
    return str(value)


def _expanded(url: str, root: Path, environ: Mapping[str, str]) -> sqlalchemy.URL:
    """The URL with `$NAME` taken from the environment; a relative SQLite file is one of the project."""

    def replace(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in environ:
            raise DataError(
                f"the database URL names ${name}, which is not set",
                cure=f"set {name} in the environment",
                where={"variable": name},
            )
        # A part of a URL (a password with an @, say) must not break the rest.
        return environ[name] if found[0] == url else quote(environ[name], safe="")

    try:
        made = sqlalchemy.make_url(re.sub(r"\$(?:\{(\w+)\}|(\w+))", replace, url))
    except (ArgumentError, ValueError) as error:
        raise SourceNotFound(
            "the database URL cannot be read",
            cure="write dialect+driver://user:$PASSWORD@host/database",
            where={"file": _NAME},
        ) from error
    if made.get_backend_name() == "sqlite" and made.database and made.database != ":memory:":
        path = root / made.database
        if not path.is_file():  # SQLite would make an empty one
            raise SourceNotFound(
                f"there is no database {made.database}", cure="correct the path", where={"file": made.database}
            )
        made = made.set(database=str(path))
    return made


def _masked(url: sqlalchemy.URL) -> str:
    place = url.host or Path(url.database or "").name
    return f"{url.get_backend_name()} {place}".strip()
