"""The bytes of a CSV file, cut where a record ends.

Arrow can cut by itself, but then reads ahead in a thread that needs Python's lock: leaving early hangs or aborts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mainspring.data.sources.csv_dialect import Dialect
from mainspring.data.sources.decoding import TextFile
from mainspring.data.sources.part import LONGEST_ROW
from mainspring.errors import SourceFormatError

_BLOCK = 4 << 20


def whole_records(stream: TextFile, dialect: Dialect, name: str) -> Iterator[bytes]:
    """Blocks of whole records, some megabytes each.

    Raises:
        SourceFormatError: a record is longer than `LONGEST_ROW`.
    """
    end_of_records = _cutter(dialect)
    waiting = b""
    records = 0
    while chunk := stream.read(_BLOCK):
        waiting += chunk
        end = end_of_records(waiting)
        if end:
            yield waiting[:end]
            records += waiting.count(b"\n", 0, end)
            waiting = waiting[end:]
        elif len(waiting) > LONGEST_ROW:
            raise SourceFormatError(
                f"{name}: the row that begins in line {records + 1:,} has more than {LONGEST_ROW >> 20} MB",
                cure="close a quote that stands open there, or take that field out",
                where={"file": name, "row": records, "line": records + 1},
            )
    if waiting:
        if not waiting.endswith((b"\n", b"\r")):
            waiting += b"\n"
        if end_of_records(waiting + b"\n") < len(waiting):
            line = records + 1 + waiting.count(b"\n", 0, end_of_records(waiting))
            raise SourceFormatError(
                f"{name}: in the row that begins in line {line:,} a quote is opened and never closed",
                cure="close it, or double a quote that is part of the text",
                where={"file": name, "row": line - 1, "line": line},
            )
        yield waiting


def _cutter(dialect: Dialect) -> Callable[[bytes], int]:
    """A function that gives the length of the whole records at the beginning of some bytes.

    A carriage return at the very end may be half of a line's end, so it ends no record yet.
    """

    def plain(data: bytes) -> int:
        return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1

    if not dialect.quote:
        return plain
    quote, delimiter = (re.escape(text.encode()) for text in (dialect.quote, dialect.delimiter))
    mark = dialect.quote.encode()
    # Possessive throughout, so that no input makes it go back: time is linear.
    # A field that opens a quote and does not close it ends no record.
    field = rb"(?:%b(?:[^%b]++|%b%b)*+%b|(?!%b))[^%b\r\n]*+" % (
        quote,
        quote,
        quote,
        quote,
        quote,
        quote,
        delimiter,
    )
    records = re.compile(rb"(?:%b(?:%b%b)*+(?:\r\n|\n|\r(?!\Z)))*+" % (field, delimiter, field))

    def quoted(data: bytes) -> int:
        if mark not in data:
            return plain(data)
        found = records.match(data)
        assert found is not None  # it matches the empty text
        return found.end()

    return quoted
