"""Keeps the tables of hourly sketches and samples small: many increments of an hour become one, old hours days."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from functools import partial

import polars as pl

from mainspring.domain.ports import Tables
from mainspring.domain.schema import Kind
from mainspring.errors import WorkspaceBusy
from mainspring.monitoring.hours.ages import HOURLY
from mainspring.monitoring.hours.samples import by_hour_or_day, samples_table, smallest
from mainspring.monitoring.hours.sketch_rows import (
    VOID,
    Sketch,
    SketchKey,
    merged,
    profiles_table,
    read_sketches,
    sketch_frame,
)

_LOG = logging.getLogger("mainspring.monitor")
_MANY_TODAY, _MANY = 24, 4  # files of a day that are merged into one; of a day that is over, fewer
_ROLLED = "rolled"  # the application whose place is the last day that was rolled up


def roll_up(tables: Tables, model: str, now: datetime) -> None:
    """Do what is due of both tables; each step may be broken off, and is done again."""
    oldest = (now - HOURLY).date()
    today, cutoff = _number(now.date()), _number(oldest)
    for table, merge in (
        (profiles_table(model), _merge_sketches),
        (samples_table(model), _merge_samples),
    ):
        if not tables.exists(table):
            continue
        rolled = tables.offset(table, _ROLLED)
        try:
            for day, sizes in tables.partitions(table).items():
                number = _number(date.fromisoformat(day))
                old = number < cutoff and (number > rolled or len(sizes) > 1)
                if old or len(sizes) >= (_MANY if number < today else _MANY_TODAY):
                    tables.rewrite(table, day, partial(_merged, merge, oldest))
        except WorkspaceBusy:
            _LOG.info("the table %s is being merged by another process", table)
            continue
        if offsets := rolled_up(tables, table, now):
            nothing = tables.scan(table).head(0).collect()
            tables.record(table, nothing, partition="day", offsets=offsets)
            tables.tidy(table)


def rolled_up(tables: Tables, table: str, now: datetime) -> dict[str, tuple[int, int]]:
    """The offsets that say that all old days are rolled up; none where that is said already."""
    rolled = tables.offset(table, _ROLLED) if tables.exists(table) else 0
    last = _number((now - HOURLY).date()) - 1
    return {_ROLLED: (rolled, last)} if last > rolled else {}


def valid(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of sketches without those of days that were read anew since."""
    voids = rows.filter(pl.col("part") == VOID)
    if voids.is_empty():
        return rows
    since = voids.group_by("day").agg(pl.col("generation").max().alias("__since"))
    found = rows.join(since, on="day", how="left").filter(
        pl.col("part") != VOID, pl.col("generation") >= pl.col("__since").fill_null(0)
    )
    return found.drop("__since")


def _merged(
    merge: Callable[[pl.DataFrame, date], pl.DataFrame], by_day_before: date, rows: pl.LazyFrame
) -> pl.DataFrame:
    return merge(rows.collect(), by_day_before)


def _merge_sketches(rows: pl.DataFrame, by_day_before: date) -> pl.DataFrame:
    groups: dict[tuple[SketchKey, Kind], list[Sketch]] = {}
    generation = max(rows.get_column("generation").to_list())
    for found, sketch in read_sketches(valid(rows)):
        key = replace(found, generation=generation)
        if key.hour.date() < by_day_before:
            key = replace(key, hour=datetime.combine(key.hour.date(), time(), key.hour.tzinfo), hours=24)
        groups.setdefault((key, sketch.profile.kind), []).append(sketch)
    return sketch_frame(
        (key, sketches[0] if len(sketches) == 1 else merged(sketches)) for (key, _), sketches in groups.items()
    )


def _merge_samples(rows: pl.DataFrame, by_day_before: date) -> pl.DataFrame:
    return smallest(by_hour_or_day(rows, by_day_before))


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
