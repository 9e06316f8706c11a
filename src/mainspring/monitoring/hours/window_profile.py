"""What a window of the prediction log looked like, from the hourly sketches and samples: the log is not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import polars as pl

from mainspring.domain.measurement import Window
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role
from mainspring.domain.schema import Kind
from mainspring.monitoring.hours.rollup import valid
from mainspring.monitoring.hours.samples import HASH, samples_table, smallest, uniform
from mainspring.monitoring.hours.sketch_rows import (
    AHEAD,
    INPUT,
    LATENCY,
    LOG,
    PREDICTION,
    SKETCH_SCHEMA,
    VOID,
    Sketch,
    merged,
    profiles_table,
    read_sketches,
)
from mainspring.monitoring.hours.slices import slice_text
from mainspring.monitoring.windows import HOUR, whole_hours
from mainspring.stats.profile import ColumnProfile, Profile

ANSWERED = tuple(role for role in Role if role is not Role.SHADOW)
"""The roles of answers that somebody heard."""


@dataclass(frozen=True, slots=True)
class WindowProfile:
    """Some of the answers of a window.

    Attributes:
        window: what was looked at: the whole hours that the asked window touches, and the whole days where these
            are so old that they have been rolled up.
        rows: how many answers.
        inputs, prediction: as in the release's `profile.json`; the columns in ascending order.
        latency: in seconds.
        unseen: by input the rows whose category training did not have; inputs of which training's categories are
            not all known are not there.
        out_of_range: by input the rows whose number lies outside the range of training.
        unseen_examples: by input unseen values with how often they came, the most frequent first.
        hours: the hours (days, where rolled up) that have rows, and how many, in ascending order.
        releases: the rows by release.
        ahead: answers that were counted in this window because their own time lies more than a day ahead.
        other_kind: inputs that another release of the window had as another kind; they are those of the newest.
    """

    window: Window
    rows: int
    inputs: Profile
    prediction: Profile
    latency: ColumnProfile
    unseen: dict[str, int] = field(default_factory=dict)
    out_of_range: dict[str, int] = field(default_factory=dict)
    unseen_examples: dict[str, dict[str, int]] = field(default_factory=dict)
    hours: list[tuple[datetime, int]] = field(default_factory=list)
    releases: dict[int, int] = field(default_factory=dict)
    ahead: int = 0
    other_kind: tuple[str, ...] = ()


def window_profile(
    tables: Tables,
    model: str,
    window: Window,
    *,
    release: int | None = None,
    roles: Collection[str] | None = None,
    slice: Mapping[str, str] | None = None,  # noqa: A002
) -> WindowProfile:
    """Merge the sketches of the hours of a window.

    Args:
        release: of this one's answers alone.
        roles: in which they were given; without it in all but the shadow's.
        slice: of the rows with these values; `{}` for all. It must be one that `update_hours` was asked for.
    """
    about = (pl.col("slice") == slice_text(slice or {})) & pl.col("role").is_in(_roles(roles))
    if release is not None:
        about &= pl.col("release") == release
    rows = valid(_of_window(tables, model, window).filter(about | (pl.col("part") == VOID)).collect())
    return profile_of_sketches(rows, window)


def profile_of_sketches(rows: pl.DataFrame, window: Window) -> WindowProfile:
    """Merge sketches.

    Args:
        rows: of the table of sketches, of one slice.
        window: that they were asked for.
    """
    found: dict[tuple[str, str], list[tuple[int, Sketch]]] = {}
    hours: dict[datetime, int] = {}
    releases: dict[int, int] = {}
    start, end = whole_hours(window).start, whole_hours(window).end
    for key, sketch in read_sketches(rows):
        found.setdefault((key.part, key.column), []).append((key.release, sketch))
        if (key.part, key.column) == (LOG, LATENCY):
            hours[key.hour] = hours.get(key.hour, 0) + sketch.profile.rows
            releases[key.release] = releases.get(key.release, 0) + sketch.profile.rows
            start, end = min(start, key.hour), max(end, key.hour + key.hours * HOUR)
    whole = {about: _merge(sketches) for about, sketches in sorted(found.items())}
    parts: dict[str, dict[str, Sketch]] = {part: {} for part in (INPUT, PREDICTION, LOG)}
    for (part, column), (sketch, _) in whole.items():
        parts[part][column] = sketch
    inputs, log = parts[INPUT], parts[LOG]
    return WindowProfile(
        window=Window(start, end),
        rows=sum(hours.values()),
        inputs=_profile(inputs),
        prediction=_profile(parts[PREDICTION]),
        latency=log[LATENCY].profile if LATENCY in log else ColumnProfile(Kind.NUMBER),
        unseen={name: sketch.unseen for name, sketch in inputs.items()},
        out_of_range={name: sketch.out_of_range for name, sketch in inputs.items()},
        unseen_examples={name: sketch.unseen_values for name, sketch in inputs.items() if sketch.unseen},
        hours=sorted(hours.items()),
        releases=dict(sorted(releases.items())),
        ahead=log[AHEAD].profile.rows if AHEAD in log else 0,
        other_kind=tuple(column for (part, column), (_, others) in whole.items() if part == INPUT and others),
    )


def window_sample(
    tables: Tables,
    model: str,
    window: Window,
    *,
    release: int | None = None,
    roles: Collection[str] | None = None,
) -> pl.DataFrame:
    """A uniform sample of a window's answers: at most a hundred of each hour (old day), release and role.

    Returns:
        The columns `id`, `at`, `release`, `role`, `prediction`, `value`, `outputs` and those of the inputs, as the
        prediction log has them (see `domain.input_columns`); in the order of their time.
    """
    table = samples_table(model)
    if not tables.exists(table):
        return pl.DataFrame(schema={"id": pl.String(), "at": pl.Datetime("us", "UTC")})
    rows: pl.LazyFrame = tables.scan(table)
    rows = rows.filter(pl.col("day") >= window.start.date(), pl.col("day") <= window.end.date())
    rows = rows.filter(pl.col("role").is_in(_roles(roles)))
    if release is not None:
        rows = rows.filter(pl.col("release") == release)
    kept = smallest(rows.collect())
    inside = (pl.col("at") >= window.start) & (pl.col("at") < window.end)
    # What other hours had is no reason to take less of these.
    touched = kept.filter(inside.any().over("hour", "release", "role"))
    return uniform(touched).filter(inside).sort("at", "id").drop("day", "hour", HASH)


def rows_by_hour(
    tables: Tables, model: str, *, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[datetime, int]]:
    """The hours (days, where they were rolled up) that have answers, and how many, in ascending order.

    Args:
        since, until: only what begins in this time, `since` included and `until` not.
    """
    rows = _sketches(tables, model)
    if since is not None:
        rows = rows.filter(pl.col("day") >= since.date())
    if until is not None:
        rows = rows.filter(pl.col("day") <= until.date())
    counts = _volumes(rows).filter(pl.col("slice") == slice_text({}))
    if since is not None:
        counts = counts.filter(pl.col("hour") >= since)
    if until is not None:
        counts = counts.filter(pl.col("hour") < until)
    hours = counts.group_by("hour").agg(pl.col("rows").sum()).sort("hour")
    return list(hours.iter_rows())


def first_hour(tables: Tables, model: str) -> datetime | None:
    """When the model's first answers were given, by the hour; `None` where there are none yet."""
    hours = rows_by_hour(tables, model)
    return hours[0][0] if hours else None


def slices_of(tables: Tables, model: str, window: Window, by: Collection[str]) -> list[tuple[dict[str, str], int]]:
    """The slices by these columns that a window has, and the rows of each, the greatest first."""
    counts = _volumes(_of_window(tables, model, window)).group_by("slice").agg(pl.col("rows").sum())
    found = []
    for text, rows in counts.sort("rows", "slice", descending=[True, False]).iter_rows():
        values = msgspec.json.decode(text)
        if values.keys() == set(by):
            found.append((values, rows))
    return found


def _sketches(tables: Tables, model: str) -> pl.LazyFrame:
    table = profiles_table(model)
    rows: pl.LazyFrame = tables.scan(table) if tables.exists(table) else pl.LazyFrame(schema=SKETCH_SCHEMA)
    return rows


def _of_window(tables: Tables, model: str, window: Window) -> pl.LazyFrame:
    """The rows of sketches of the hours that a window touches, and the marks of its days."""
    days = _sketches(tables, model).filter(
        pl.col("day") >= window.start.date(), pl.col("day") <= window.end.date()
    )
    ends = pl.col("hour") + pl.duration(hours=pl.col("hours"))
    inside = (pl.col("hour") < window.end) & (ends > window.start)
    return days.filter(inside | (pl.col("part") == VOID))


def _volumes(rows: pl.LazyFrame) -> pl.DataFrame:
    """`hour`, `slice` and `rows` of all answers that somebody heard."""
    counted = (pl.col("part") == LOG) & (pl.col("column") == LATENCY) & pl.col("role").is_in(_roles(None))
    plain = rows.filter(counted | (pl.col("part") == VOID)).select(
        "day", "hour", "generation", "slice", "part", "rows"
    )
    return valid(plain.collect()).select("hour", "slice", "rows")


def _merge(sketches: list[tuple[int, Sketch]]) -> tuple[Sketch, bool]:
    """One sketch of the kind that the newest release has, and whether another had another kind."""
    _, newest = max(sketches, key=lambda item: item[0])
    same = [sketch for _, sketch in sketches if sketch.profile.kind is newest.profile.kind]
    return merged(same), len(same) < len(sketches)


def _profile(sketches: Mapping[str, Sketch]) -> Profile:
    profile = Profile({})
    profile.columns = {column: sketch.profile for column, sketch in sketches.items()}
    return profile


def _roles(roles: Collection[str] | None) -> list[str]:
    return [str(role) for role in (ANSWERED if roles is None else roles)]
