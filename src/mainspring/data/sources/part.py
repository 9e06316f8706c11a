"""What every kind of source looks like: parts, each a stream of batches of rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from mainspring.errors import SourceFormatError, SourceNotFound

LONGEST_ROW = 16 << 20  # bytes; a longer one is refused before it takes memory


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a part, as the format gives them.

    Attributes:
        frame: all columns are text where the part is not typed.
        rows: how many; a frame without columns does not tell.
        strings: of a part that is not typed, the columns in which a value was a text by its own type (a JSON or
            SQL string), so that `"12"` is not taken for 12.
    """

    frame: pl.DataFrame
    rows: int
    strings: frozenset[str] = field(default=frozenset())


class Part(Protocol):
    """One file of a source, or the result of a query.

    Law: `batches` gives the rows in the order of the file, in bounded memory, and may be called again; the same
    digest means the same rows.
    """

    @property
    def name(self) -> str:
        """As the user knows it, for errors and reports."""
        ...

    @property
    def typed(self) -> bool:
        """Whether values have types of their own; otherwise everything is text."""
        ...

    @property
    def decimal(self) -> str:
        """The character before the fraction of a number written as text."""
        ...

    def columns(self) -> tuple[str, ...] | None:
        """The names in order, or `None` where each row names its own (JSON lines)."""
        ...

    def digest(self) -> str:
        """SHA-256 of the content."""
        ...

    def batches(self, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """The rows; with `columns` of these only, where the part has them."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file with the name by which the user knows it."""

    path: Path
    name: str

    def digest(self) -> str:
        """SHA-256 of its bytes, as they stand on disk (compressed where they are)."""
        with self.unchanged(), self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raises `SourceFormatError` when someone wrote the file meanwhile, `SourceNotFound` where it is gone."""
        before = self._state()
        yield
        if self._state() != before:
            raise SourceFormatError(
                f"{self.name} was changed while it was being read",
                cure="try again when nobody writes it",
                where={"file": self.name},
            )

    def _state(self) -> tuple[int, int, int]:
        try:
            state = self.path.stat()
        except OSError as error:
            raise unreadable(self.name, error) from error
        return state.st_ino, state.st_size, state.st_mtime_ns


def unreadable(name: str, error: OSError) -> SourceNotFound:
    """The error of a file that the system does not give us."""
    reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return SourceNotFound(
        f"{name} cannot be read: {reason}",
        cure="check that it is there and who may read it",
        where={"file": name},
    )


def check_names(names: Sequence[str], where: str) -> None:
    """Raises `SourceFormatError` for a name that comes twice, or that the snapshots need for themselves."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceFormatError(
                f"{where} has two columns named {name!r}",
                cure="rename one of them",
                where={"file": where, "column": name},
            )
        if name in ("__row", "__part"):
            raise SourceFormatError(
                f"{where} has a column {name!r}, a name that snapshots keep for themselves",
                cure="rename it",
                where={"file": where, "column": name},
            )
        seen.add(name)
