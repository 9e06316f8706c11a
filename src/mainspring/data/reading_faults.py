"""Values that are not of their column's kind: counted, the first five named."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from mainspring.domain.schema import Column, Kind, Schema
from mainspring.errors import ValueParseError

_NAMED = 5
_SHOWN = 40  # characters of a value

_WHAT = {
    Kind.NUMBER: "finite number",
    Kind.INTEGER: "whole number of 64 bits",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "time",
}


@dataclass(slots=True)
class _OfColumn:
    count: int = 0
    places: list[tuple[str, int, str]] = field(default_factory=list)  # file, row, value


class Faults:
    """What did not parse so far; true when there is any."""

    def __init__(self) -> None:
        self._columns: dict[str, _OfColumn] = {}

    def __bool__(self) -> bool:
        return bool(self._columns)

    def add(self, column: str, file: str, first_row: int, raw: pl.Series, bad: pl.Series) -> None:
        """Note the bad values of a batch whose first row is `first_row` (1-based) of the file."""
        found = self._columns.setdefault(column, _OfColumn())
        found.count += int(bad.sum())
        for place in bad.arg_true().head(_NAMED - len(found.places)).to_list():
            found.places.append((file, first_row + place, str(raw[place])))

    def raise_any(self, schema: Schema, *, sealed: bool = False) -> None:
        """Raise `ValueParseError` for the first column that has faults, with a word on the others.

        Args:
            sealed: the schema is a release's, which nobody can mend any more.
        """
        if not self._columns:
            return
        name, found = next(iter(self._columns.items()))
        others = "".join(
            f"; {other!r} too: {of.count:,}, first in row {of.places[0][1]:,}"
            for other, of in list(self._columns.items())[1:4]
        )
        file, row, value = found.places[0]
        raise ValueParseError(
            f"{file}: column {name!r} has {_values(found.count)} {_wrong(schema[name], found.count)}: "
            f"{_listed(found)}{others}",
            cure=_sealed_cure(schema[name]) if sealed else _cure(schema[name], schema.file),
            where={
                "file": file,
                "row": row,
                "column": name,
                "value": _short(value),
                "count": found.count,
                "rows": [place[1] for place in found.places],
            },
        )


def _values(count: int) -> str:
    return "a value" if count == 1 else f"{count:,} values"


def _wrong(column: Column, count: int) -> str:
    verb = "that is no" if count == 1 else "that are no"
    noun = _WHAT.get(column.kind, str(column.kind))
    if count > 1:
        noun = noun.replace("number", "numbers").replace("boolean", "booleans").replace("time", "times")
    form = f" of the format {column.time_format}" if column.kind is Kind.TIME and column.time_format else ""
    return f"{verb} {noun}{form}"


def _listed(found: _OfColumn) -> str:
    first = found.places[0][0]
    named = [
        f"row {row:,} ({_short(value)!r})" if file == first else f"{file} row {row:,} ({_short(value)!r})"
        for file, row, value in found.places
    ]
    return ", ".join(named) + (", …" if found.count > len(named) else "")


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else value[:_SHOWN] + "…"


def _cure(column: Column, file: str) -> str:
    if column.kind is Kind.TIME:
        return f"mend these rows, or set missing or time_format of the column in {file}"
    if column.kind is Kind.BOOLEAN:
        return f"mend these rows, or add the spelling to true, false or missing of the column in {file}"
    return f"mend these rows, or list their text under missing, or set another kind, in {file}"


def _sealed_cure(column: Column) -> str:
    words = ", ".join(repr(word) for word in column.missing[:8])
    known = f"; missing are {words}" if words else ""
    return f"mend these rows: how {column.name!r} is read was sealed with the release{known}"
