"""What a gateway has to know of the records before it can answer, read from SQLite by the standard library alone.

To import SQLAlchemy takes a third of the time in which a gateway starts; this leaves it for afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.stores.records_rows import key_of, numbers_by_alias, routes_of
from mainspring.stores.records_version import VERSION

if TYPE_CHECKING:
    from mainspring.domain.access import ApiKey
    from mainspring.domain.routing import Routes

_SQLITE = "sqlite:///"
_PATIENCE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class FirstLook:
    """The routes and all keys, as they were at one moment."""

    routes: Routes
    api_keys: Sequence[ApiKey]


def first_look(url: str) -> FirstLook | None:
    """Look once; nothing is made, changed or brought to a newer version.

    Args:
        url: of the records.

    Returns:
        `None` where this cannot be had at once: the records are not in a file of SQLite, there is none yet, it is
        of another version, or it cannot be read. Who opens the records then is told what is the matter.
    """
    place = url.removeprefix(_SQLITE)
    if place == url or not place or "?" in place:
        return None
    try:
        with closing(sqlite3.connect(_read_only(place), uri=True, timeout=_PATIENCE)) as connection:
            connection.row_factory = _named_row
            connection.isolation_level = None
            connection.execute("BEGIN")  # all that follows is of one moment
            if [row.version for row in connection.execute("SELECT version FROM schema_version")] != [VERSION]:
                return None
            (generation,) = connection.execute("SELECT value FROM generation")
            routes = routes_of(
                generation.value,
                numbers_by_alias(connection.execute("SELECT * FROM aliases ORDER BY model")),
                connection.execute("SELECT * FROM releases ORDER BY number"),
                connection.execute("SELECT * FROM traffic"),
            )
            keys = connection.execute("SELECT * FROM api_keys ORDER BY created_at DESC, id DESC")
            return FirstLook(routes, [key_of(row) for row in keys])
    except sqlite3.Error:
        return None


def _read_only(place: str) -> str:
    return f"{Path(place).absolute().as_uri()}?mode=ro"


class _Row:
    """The columns of a row as attributes."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.__dict__.update(columns)


def _named_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Any:
    return _Row({column[0]: value for column, value in zip(cursor.description, values, strict=True)})
