"""Which data files the versions of a Delta table brought, by its log."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

from mainspring.errors import HistoryGone
from mainspring.stores.delta_files import log_entry


def added_files(folder: Path, table: str, since: int, newest: int) -> list[str]:
    """The files with new rows of the versions after `since`, up to and with `newest`: their paths in the folder.

    A file that a later version took out is among them: what it held was merged into others or dropped, and it
    stays on disk for as long as its entry in the log.

    Raises:
        HistoryGone: an entry of the log, or a file, is there no more.
    """
    found = []
    for version in range(since + 1, newest + 1):
        try:
            entry = log_entry(folder, version).read_text()
        except FileNotFoundError:
            raise _gone(table, since, version) from None
        for line in entry.splitlines():
            added = json.loads(line).get("add") if line.startswith('{"add"') else None
            if added is None or not added["dataChange"]:
                continue
            path = unquote(added["path"])
            if not (folder / path).is_file():
                raise _gone(table, since, version)
            found.append(path)
    return found


def _gone(table: str, since: int, version: int) -> HistoryGone:
    return HistoryGone(
        f"what version {version} of the table {table} brought is no longer known",
        cure="read the whole table, and go on from its newest version",
        where={"table": table, "since": since, "version": version},
    )
