"""Keeps a table that is partitioned by day quick to read: the files of a day that is over become one."""

from __future__ import annotations

from datetime import date

from mainspring.domain.ports import Tables

_SMALL = 64 << 20  # bytes


def merge_past_days(tables: Tables, table: str, today: date, *, at_least: int = 2) -> int:
    """Merge the small files of each day before `today`; how many files were merged.

    Args:
        at_least: a day of which fewer would be merged is left as it is.

    Raises:
        StoreError: the table cannot be written.
        WorkspaceBusy: another process merges the same day.
    """
    merged = 0
    for day, sizes in tables.partitions(table).items():
        if day < today.isoformat() and sum(size < _SMALL for size in sizes) >= at_least:
            merged += tables.compact(table, day, smaller_than=_SMALL)
    return merged
