"""JSON lines: one object a line. Numbers keep their own spelling, so that 20 digits stay 20 digits."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from mainspring.data.sources.decoding import TextFile
from mainspring.data.sources.part import LONGEST_ROW, Batch, SourceFile, check_names
from mainspring.errors import SourceFormatError

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


class JsonLinesPart:
    """A file of JSON objects, compressed or not. A name that a line does not have is missing there."""

    typed = False
    decimal = "."

    def __init__(self, file: SourceFile, encoding: str | None = None) -> None:
        self._file = file
        self._encoding = encoding

    @property
    def name(self) -> str:
        return self._file.name

    def columns(self) -> None:
        return None

    def digest(self) -> str:
        return self._file.digest()

    def close(self) -> None:
        pass

    def batches(self, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """See `Part.batches`.

        Raises:
            SourceFormatError: a line that is no JSON object, an endless line, no lines.
        """
        wanted = None if columns is None else frozenset(columns)
        rows: list[dict[str, msgspec.Raw]] = []
        empty = True
        with self._file.unchanged(), TextFile(self._file, self._encoding) as stream:
            for row in self._rows(io.BufferedReader(stream, 1 << 20)):
                empty = False
                rows.append(row)
                if len(rows) >= batch_rows:
                    yield _batch(rows, wanted)
                    rows = []
        if rows:
            yield _batch(rows, wanted)
        if empty:
            raise SourceFormatError(
                f"{self.name} is empty", cure="give a file with rows", where={"file": self.name}
            )

    def _rows(self, lines: io.BufferedReader) -> Iterator[dict[str, msgspec.Raw]]:
        number = 0
        while line := lines.readline(LONGEST_ROW + 1):
            if line.isspace():
                continue
            number += 1
            if len(line) > LONGEST_ROW:
                raise SourceFormatError(
                    f"{self.name}: row {number:,} has more than {LONGEST_ROW >> 20} MB",
                    cure="write one object a line, or take that field out",
                    where={"file": self.name, "row": number},
                )
            try:
                row = _OBJECT.decode(line)
            except msgspec.MsgspecError as error:
                whole = number == 1 and line.lstrip().startswith(b"[")
                raise SourceFormatError(
                    f"{self.name}: row {number:,} is {'an array' if whole else 'no JSON object'}: {error}",
                    cure="write one object a line, e.g. with `jq -c '.[]'`" if whole else "mend that line",
                    where={"file": self.name, "row": number},
                ) from error
            if number == 1:
                check_names(list(row), self.name)
            yield row


def _batch(rows: Sequence[dict[str, msgspec.Raw]], wanted: frozenset[str] | None) -> Batch:
    names = dict.fromkeys(name for row in rows for name in row if wanted is None or name in wanted)
    strings: set[str] = set()
    columns = {}
    for name in names:
        texts: list[str | None] = []
        for row in rows:
            raw = bytes(row[name]) if name in row else b"null"
            if raw[:1] == b'"':
                strings.add(name)
                texts.append(_TEXT.decode(raw))
            else:
                texts.append(None if raw == b"null" else raw.decode())
        columns[name] = pl.Series(name, texts, dtype=pl.String)
    return Batch(pl.DataFrame(columns), len(rows), frozenset(strings))
