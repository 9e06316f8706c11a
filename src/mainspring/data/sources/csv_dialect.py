"""How a CSV file is written: encoding, delimiter, quote, decimal character, header; found out where not given."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.data.sources.decoding import TextFile, mark_of
from mainspring.data.sources.part import SourceFile, check_names
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError

_HEAD = 1 << 20
_ROWS = 500  # looked at for the delimiter
_DELIMITERS = (",", ";", "\t", "|")
_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")
_POINT = re.compile(r"\s*[+-]?\d+\.\d+\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+\s*")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written.

    Attributes:
        quote: the quote character, empty where there is none.
        names: the header.
        delimited: whether the header shows the delimiter (a file of one column does not).
    """

    encoding: str
    delimiter: str
    quote: str
    decimal: str
    names: tuple[str, ...]


def find_dialect(file: SourceFile, source: Source) -> Dialect:
    """Look at the beginning of a file; what the source declares stands.

    Raises:
        SourceFormatError: no text, empty, no header, a name twice.
    """
    encoding = source.encoding or _find_encoding(file)
    with TextFile(file, encoding) as stream:
        encoding = stream.encoding
        data = b""
        while len(data) < _HEAD and (chunk := stream.read(_HEAD)):
            data += chunk
    text = data.decode("utf-8", "ignore")  # a character may be cut at the end
    if not text.strip():
        raise SourceFormatError(f"{file.name} is empty", cure="give a file with rows", where={"file": file.name})
    whole = len(data) < _HEAD
    quote = source.quote if source.quote is not None else _find_quote(text)
    delimiter = source.delimiter or _find_delimiter(text, quote, whole)
    rows = _rows(text, delimiter, quote, whole)
    names = _header(rows, file.name)
    decimal = source.decimal or _find_decimal(rows[1:], delimiter)
    return Dialect(encoding, delimiter, quote, decimal, names)


def _find_encoding(file: SourceFile) -> str | None:
    """`None` for UTF-8 and what a byte order mark tells; `cp1252` where the evidence for it is strong.

    A single odd byte is a damaged file and is left to the reader, which names its place; letters above ASCII in
    three lines or more, each beside ordinary letters, are a West European text.
    """
    with TextFile(file, "latin-1") as stream:  # every byte is a character of it
        head = stream.peek_raw(_HEAD)
    if mark_of(head):
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:  # a character cut at the end of the head
            return None
    else:
        return None
    text = head.decode("cp1252", "replace")
    lines = [line for line in text.splitlines() if not line.isascii()]
    plausible = all(
        char.isalpha() or char in "€£§°²³µ´’‘“”–…«»¿¡ªº½¼¾·×÷©®"
        for line in lines
        for char in line
        if char > "\x7f"
    )
    return "cp1252" if plausible and len(lines) >= 3 and not re.search(r"[\x80-\xff]{3}", text) else None


def _find_quote(text: str) -> str:
    return (
        "'"
        if '"' not in text and len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n])", text, re.M)) >= 2
        else '"'
    )


def _find_delimiter(text: str, quote: str, whole: bool) -> str:
    best, score = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        rows = _rows(text, delimiter, quote, whole)
        width = len(rows[0])
        if width < 2:
            continue
        fitting = sum(len(row) == width for row in rows) / len(rows)
        if (fitting, width) > score:
            best, score = delimiter, (fitting, width)
    return best


def _rows(text: str, delimiter: str, quote: str, whole: bool) -> list[list[str]]:
    if len(delimiter) != 1 or len(quote) > 1:
        raise SourceFormatError(
            f"the delimiter {delimiter!r} or the quote {quote!r} is not one character",
            cure="declare single characters in Source(…)",
        )
    options = {"quotechar": quote, "quoting": csv.QUOTE_MINIMAL} if quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **options)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _ROWS:
                return rows
    except csv.Error:  # a field longer than csv's own limit: what came before it will do
        whole = True
    if not whole and len(rows) > 1:
        rows.pop()  # it may have been cut
    return rows or [[""]]


def _find_decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    cells = [cell for row in rows for cell in row]
    commas = [cell for cell in cells if "," in cell and _COMMA.fullmatch(cell)]
    if not commas or any(
        _POINT.fullmatch(cell) and not re.fullmatch(r"\s*[+-]?\d{1,3}\.\d{3}\s*", cell) for cell in cells
    ):
        return "."
    if delimiter == "," and all(_THOUSANDS.fullmatch(cell) for cell in commas):
        return "."
    return ","


def _header(rows: Sequence[Sequence[str]], name: str) -> tuple[str, ...]:
    header = [cell.strip() for cell in rows[0]]
    if len(header) > 1 and all(_NUMBER.fullmatch(cell) for cell in header):
        raise SourceFormatError(
            f"{name} has no header: its first line is {', '.join(header[:4])}{', …' if len(header) > 4 else ''}",
            cure="put a line with the names of the columns first",
            where={"file": name, "line": 1},
        )
    names = tuple(cell or f"column_{place}" for place, cell in enumerate(header, start=1))
    check_names(names, name)
    return names
