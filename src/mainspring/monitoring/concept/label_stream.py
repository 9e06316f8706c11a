"""The answers whose truth is known, in the order in which they were given, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import polars as pl

from mainspring.data.predictions import predictions
from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.prediction_log import labels_table, predictions_table
from mainspring.monitoring.label_wait import label_wait
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import Labelled, labelled

HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_PATIENCE = timedelta(days=7)  # with hours of which no label has come, where nobody says how long labels take
_LONGEST_LAG = timedelta(minutes=5)  # of what is on its way to the tables; where nothing is, nothing newer comes
_NEEDED = ("id", "at", "outputs", "label", "label_value", "label_at")


@dataclass(frozen=True, slots=True)
class Hour:
    """The labelled answers of one hour, or of the part of it that is taken at once (`grain`), in order."""

    start: datetime
    known: Labelled


def grain(monitor: Monitor) -> timedelta:
    """How much time is taken at once: an hour, or what divides it where the monitor looks more often than that.

    Examples:
        >>> [str(grain(Monitor.concept(every=every))) for every in ("1d", "1h", "7m", "5s", "500ms")]
        ['1:00:00', '1:00:00', '0:06:40', '0:00:05', '0:00:01']
    """
    whole = int(HOUR.total_seconds())
    most = min(whole, int(parse_duration(monitor.every).total_seconds()))
    return timedelta(seconds=max((part for part in range(1, most + 1) if whole % part == 0), default=1))


def label_stream(look: Look, since: datetime) -> Iterator[Hour]:
    """The whole hours from `since` on whose labels are in, up to the first that still waits.

    An hour's labels are in when `min_label_share` of its answers have one, or when the time within which labels
    come has passed. Of a part of an hour it is also seen whether both logs have come so far: looks follow each
    other so closely that what is on its way to the tables would be lost.

    Args:
        look: at a release; its window's end is where the stream ends at the latest.
        since: where an hour, or a `grain`, begins.
    """
    end, wait, length = look.window.end, label_wait(look.context), grain(look.monitor)
    if length < HOUR:
        end = min(end, max(_stored_until(look, since), look.context.now - _LONGEST_LAG) - wait)
    for day in _days(since, end):
        rows = _answers(look, day)
        hour = day.start
        while hour + length <= day.end:
            known = labelled(_within(rows, hour, length), look.manifest)
            if not _is_in(look, hour + length, known, wait):
                return
            yield Hour(hour, known)
            hour += length


def late_labels(look: Look, missing: Collection[datetime], looked: datetime) -> Iterator[Hour]:
    """What has come since the last look of hours that were taken before it, in the order of the answers.

    A label that was taken and is corrected since is none of them: it counts as it was.

    Args:
        missing: the hours of which not every answer had a label.
        looked: the time of the last look: what was known then was taken then.
    """
    told = sorted(_told_of(look, looked, min(missing), max(missing)).intersection(missing)) if missing else []
    length = grain(look.monitor)
    for _, of_day in groupby(told, key=lambda hour: hour.date()):
        hours = list(of_day)
        window = Window(hours[0], hours[-1] + length)
        now = _answers(look, window).filter(pl.col("label_at") > looked)
        before = _answers(look, window, as_of=looked).filter(pl.col("label_at").is_not_null())
        new = now.join(before, on=["id", "at"], how="anti", maintain_order="left")
        for hour in hours:
            known = labelled(_within(new, hour, length), look.manifest)
            if len(known.truth):
                yield Hour(hour, known)


def beginning(moment: datetime, length: timedelta) -> datetime:
    """Of the hour, or the part of it of this length, that the moment is in."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour + (moment - hour) // length * length


def _days(start: datetime, end: datetime) -> Iterator[Window]:
    """The days (UTC) of a time, the first and the last as far as they are in it: no more is in memory at once."""
    while start < end:
        until = min(start.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY, end)
        yield Window(start, until)
        start = until


def _stored_until(look: Look, since: datetime) -> datetime:
    """Up to when answers and labels have come to the tables, as the newest of each tell; `since` without any."""
    context, newest = look.context, []
    for table in (predictions_table(context.model), labels_table(context.model)):
        if not context.tables.exists(table):
            return since
        stored: pl.LazyFrame = context.tables.scan(table)
        of_late = stored.filter(pl.col("day") >= since.date())
        newest.append(of_late.select(pl.col("at").max()).collect().item() or since)
    return min(newest)


def _told_of(look: Look, looked: datetime, first: datetime, last: datetime) -> set[datetime]:
    """The hours from the first to the last of which something was said since the last look.

    Of the log it reads ids alone, so that mostly, when only of newer hours something was said, little is read.
    """
    context = look.context
    if not context.tables.exists(labels_table(context.model)):
        return set()
    at, day = pl.col("at"), pl.col("day")
    labels: pl.LazyFrame = context.tables.scan(labels_table(context.model))
    said = labels.filter(day >= looked.date(), day <= context.now.date(), at > looked, at <= context.now)
    log: pl.LazyFrame = context.tables.scan(predictions_table(context.model))
    rows = log.filter(day >= first.date(), day <= last.date(), pl.col("release") == look.release)
    of_these = []
    for about, column in (("prediction_id", "id"), ("key", "key")):
        names = said.select(pl.col(about).drop_nulls().hash().alias("about")).unique().collect()
        if names.height:
            asked = rows.filter(pl.col(column).is_not_null()).select(pl.col(column).hash().alias("about"), at)
            of_these.append(asked.join(names.lazy(), on="about", how="semi"))
    if not of_these:
        return set()
    length = f"{int(grain(look.monitor).total_seconds())}s"
    hours = pl.concat(of_these).select(at.dt.truncate(length).unique()).collect().get_column("at")
    return {hour for hour in hours.to_list() if first <= hour <= last}


def _answers(look: Look, window: Window, as_of: datetime | None = None) -> pl.DataFrame:
    """The release's answers of this time beside what is known of them, in order, without their inputs."""
    context = look.context
    found = predictions(
        context.tables,
        context.model,
        since=window.start,
        until=window.end,
        as_of=as_of or context.now,
        release=look.release,
    )
    return found.select(_NEEDED).sort("at", "id").collect()


def _within(rows: pl.DataFrame, hour: datetime, length: timedelta) -> pl.DataFrame:
    at = pl.col("at")
    return rows.filter(at >= hour, at < hour + length)


def _is_in(look: Look, end: datetime, known: Labelled, wait: timedelta) -> bool:
    if not known.answered or known.share >= look.monitor.min_label_share:
        return True
    declared = look.context.label_delay is not None
    patience = wait if declared or len(known.truth) else max(wait, _PATIENCE)
    return end + patience <= look.context.now
