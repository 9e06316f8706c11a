"""`schema.toml`: the schema as people read and edit it, each guess with its reason as a comment."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from mainspring.domain.durations import parse_duration
from mainspring.domain.schema import Column, Kind, Personal, Schema, Severity
from mainspring.errors import DataError, DeclarationError
from mainspring.stores.atomic import write_atomic

_HEAD = """\
# What each column is and what its values may be. Found out from the data: correct what is wrong.
#
# How a text becomes a value (changing it makes new snapshots):
#   kind          number, integer, boolean, category, text, id, time or image
#   missing       texts that mean a missing value
#   strip         whether blanks around a text are dropped
#   time_format   "iso", "epoch_s", "epoch_ms", or a format such as "%d.%m.%Y %H:%M"
#   true, false   how a boolean is spelled
#   drop_dot      whether a dot at the end of a label is dropped
# What is checked in every snapshot:
#   nullable, max_missing_share, minimum, maximum, categories, unique
#   numerals      whether each text is a whole number in plain digits, which a request may send as a number
#   freshness     the greatest age of the newest time, e.g. "7d"
#   severity      "error" stops a run, "warning" is recorded, "off" is not looked at
# What the prediction log keeps of it:
#   personal      "hash" (equal values stay equal), "mask" (only that there was one) or "omit"; else all of it
# Ranges are those seen, a tenth wider; categories are those seen.
"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LISTS = ("missing", "true", "false", "categories")
_WORDS: dict[str, type[StrEnum]] = {"kind": Kind, "severity": Severity, "personal": Personal}
_FLAGS = ("strip", "drop_dot", "nullable", "unique", "numerals")
_DEFAULTS = {each.name: each.default for each in fields(Column) if each.name != "name"}
_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def write_schema(path: Path, schema: Schema, notes: Mapping[str, str]) -> None:
    """Write `schema.toml`, whole or not at all.

    Args:
        notes: column → why it is taken for what it is; written above the column.
    """
    write_atomic(path, format_schema(schema, notes).encode("utf-8"))


def format_schema(schema: Schema, notes: Mapping[str, str]) -> str:
    """The text of `schema.toml`.

    Examples:
        >>> text = format_schema(Schema((Column("age", Kind.INTEGER, minimum=17),)), {"age": "whole numbers"})
        >>> print(text.partition("categories are those seen.")[2].strip())
        # whole numbers
        [columns.age]
        kind = "integer"
        minimum = 17
    """
    blocks = [_HEAD]
    for column in schema:
        lines = [f"# {_one_line(notes[column.name])}"] if column.name in notes else []
        lines.append(f"[columns.{_key(column.name)}]")
        lines.append(f"kind = {_value(str(column.kind))}")
        for name, default in _DEFAULTS.items():
            value = getattr(column, name)
            if name != "kind" and value != default:
                lines.append(f"{name} = {_value(value)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def read_schema(path: Path) -> Schema:
    """Read `schema.toml`.

    Raises:
        DataError: the file is not there, is no TOML, or has an entry that makes no sense; it names the table and
            the key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {path.name}",
            cure="write one with `mainspring init`",
            where={"file": path.name},
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}",
            cure="check what it is and who may read it; it must be UTF-8",
            where={"file": path.name},
        ) from error
    return parse_schema(text, path.name)


def parse_schema(text: str, name: str = "schema.toml") -> Schema:
    """The schema that a text describes; `name` is used in errors. Raises `DataError`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(
            f"{name} is no TOML: {error}", cure="mend that line; texts stand in quotes", where={"file": name}
        ) from error
    columns = document.get("columns")
    if not isinstance(columns, dict) or len(document) != 1:
        other = next((key for key in document if key != "columns"), None)
        raise DataError(
            f"{name} has the unknown entry {other!r}" if other is not None else f"{name} describes no columns",
            cure="describe each column in a table of its own, [columns.NAME]",
            where={"file": name},
        )
    return Schema(tuple(_column(name, column, table) for column, table in columns.items()), name)


def _column(file: str, name: str, table: Any) -> Column:
    if not isinstance(table, dict):
        raise _wrong(file, name, None, "is no table", f"write [columns.{_key(name)}] on a line of its own")
    for key in table:
        if key not in _DEFAULTS and key != "kind":
            close = difflib.get_close_matches(key, ["kind", *_DEFAULTS], n=1)
            known = f"did you mean {close[0]}?" if close else f"use one of: {', '.join(['kind', *_DEFAULTS])}"
            raise _wrong(file, name, key, "is not known", known)
    if "kind" not in table:
        raise _wrong(file, name, "kind", "is missing", f"add it: one of {', '.join(Kind)}")
    values = {key: _checked(file, name, key, value) for key, value in table.items()}
    column = Column(name, **values)
    _check_together(file, column)
    return column


def _checked(file: str, column: str, key: str, value: Any) -> Any:
    """The value of an entry as `Column` has it."""
    if key in _WORDS:
        known = _WORDS[key]
        if value not in list(known):
            raise _wrong(file, column, key, f"is {value!r}", f"use one of: {', '.join(known)}")
        return known(value)
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise _wrong(file, column, key, f"is {value!r}", 'write a list of texts, e.g. ["?", ""]')
        return tuple(value)
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise _wrong(file, column, key, f"is {value!r}", "write true or false")
        return value
    if key in ("time_format", "freshness"):
        if not isinstance(value, str):
            raise _wrong(file, column, key, f"is {value!r}", "write a text in quotes")
        if key == "freshness":
            try:
                parse_duration(value)
            except (DeclarationError, OverflowError) as error:
                raise _wrong(file, column, key, f"is {value!r}", "write a duration, e.g. 12h or 7d") from error
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "max_missing_share":
        if not number or not 0 <= value <= 1:
            raise _wrong(file, column, key, f"is {value!r}", "write a share between 0 and 1")
        return value
    if not (number or isinstance(value, str)) or (isinstance(value, float) and math.isnan(value)):
        raise _wrong(file, column, key, f"is {value!r}", "write a number, or a time as an ISO text in quotes")
    return value


def _check_together(file: str, column: Column) -> None:
    form = column.time_format
    if form is not None and form not in ("iso", "epoch_s", "epoch_ms") and "%" not in form:
        raise _wrong(
            file, column.name, "time_format", f"is {form!r}", 'use "iso", "epoch_s", "epoch_ms" or "%d.%m.%Y"'
        )
    if overlap := set(column.true) & set(column.false):
        raise _wrong(
            file, column.name, "false", f"holds {min(overlap)!r} as true does", "let each spelling mean one thing"
        )
    low, high = column.minimum, column.maximum
    if isinstance(low, str) != isinstance(high, str) and low is not None and high is not None:
        raise _wrong(file, column.name, "maximum", f"is {high!r} while minimum is {low!r}", "write both alike")
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        raise _wrong(file, column.name, "minimum", f"is {low!r}, above maximum, {high!r}", "swap them")


def _wrong(file: str, column: str, key: str | None, why: str, cure: str) -> DataError:
    place = f"[columns.{_key(column)}]" + (f" {key}" if key else "")
    return DataError(f"{file}: {place} {why}", cure=cure, where={"file": file, "column": column, "key": key})


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_escaped(char) for char in str(value)) + '"'
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)  # TOML knows inf and -inf
    if isinstance(value, int):
        return str(value)
    items = [_value(each) for each in value]
    line = f"[{', '.join(items)}]"
    return line if len(line) <= 100 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    return f"\\u{code:04X}" if code < 0x20 or code == 0x7F or 0x80 <= code < 0xA0 else char


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
