"""What a window is compared with: the release's own rows, the window before, the season, a named past time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from mainspring.domain.measurement import Window
from mainspring.domain.monitor import Monitor, named_window
from mainspring.monitoring.context import Context
from mainspring.monitoring.drift.reference_sample import sealed_sample
from mainspring.monitoring.hours.window_profile import rows_by_hour
from mainspring.monitoring.jobs.seen import windows_of_jobs
from mainspring.release.files import read_verified
from mainspring.release.reference_profile import PROFILE
from mainspring.stats.profile import ColumnProfile, Profile

SEASONS = 4  # weeks, or multiples of a week, that make a season
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Reference:
    """The rows that a window is compared with, as sketches.

    Attributes:
        what: in words, to follow "against": `the rows of release 7`.
        prediction: out of sample where that is known.
        sealed: that these are rows of training, where a personal column is still in clear.
        absent: why there is nothing to compare with; empty where there is.
        note: what is to be known about it.
    """

    what: str
    rows: int = 0
    inputs: Profile = field(default_factory=lambda: Profile({}))
    prediction: Profile = field(default_factory=lambda: Profile({}))
    sealed: bool = False
    absent: str = ""
    note: str = ""


def reference_of(
    context: Context,
    monitor: Monitor,
    window: Window,
    *,
    release: int | None = None,
    roles: Collection[str] | None = None,
    slice: Mapping[str, str] | None = None,  # noqa: A002  the word of the measurement
) -> Reference:
    """The reference that the monitor names.

    | `reference` | rows |
    | --- | --- |
    | `release` | those of the release's `profile.json`; of a slice, its sealed reference rows |
    | `previous` | of the time of the same length before the window |
    | `season` | of the same hours of the same weekdays of the four weeks before |
    | `START/END` | of that time |

    Of a score job `previous` is the job before it, `season` are the jobs of the same weekdays, and the rows of a
    past time are those of the jobs that began in it.

    The seasons of a window longer than a week lie as many whole weeks apart as they do not overlap. Hours and
    weekdays are UTC's, so that the days on which clocks change have 24 hours like all others.

    Args:
        release, roles: whose rows of the log; all where not given. The release's own rows are those of `release`,
            else of the champion.
        slice: of which rows.
    """
    chosen = dict(slice or {})
    if monitor.reference == "release":
        return _sealed(context, release or context.champion, chosen)
    windows, what = windows_of(context, monitor, window)
    found = [context.profile(one, release=release, roles=roles, slice=chosen) for one in windows]
    seen = [one for one in found if one.rows]
    rows = sum(one.rows for one in seen)
    if rows < monitor.min_rows:
        absent = f"there is nothing to compare with: {what}: {rows:,} rows, fewer than {monitor.min_rows:,}"
        return Reference(what, absent=absent)
    notes = [] if len(seen) == len(windows) else [f"only {len(seen)} of the {len(windows)} weeks have rows"]
    if any(one.window.length >= asked.length + _DAY for one, asked in zip(found, windows, strict=True)):
        notes.append("the reference is of whole days, since older hours are kept by the day")
    inputs, prediction = merged(one.inputs for one in seen), merged(one.prediction for one in seen)
    return Reference(what, rows, inputs, prediction, note="; ".join(notes))


def windows_of(context: Context, monitor: Monitor, window: Window) -> tuple[list[Window], str]:
    """The past windows that a monitor names, and what they are in words; not of `release`.

    Raises:
        DeclarationError: the named time is none.
    """
    if context.job is not None:
        return windows_of_jobs(context.tables, context.model, context.job, monitor.reference)
    if monitor.reference == "previous":
        return [_before(context, monitor, window)], "the window before"
    if monitor.reference == "season":
        return season(window), "the same hours of the four weeks before"
    return [named_window(monitor.reference)], f"the rows of {monitor.reference}"


def season(window: Window) -> list[Window]:
    """The same hours of the same weekdays of the four weeks before, the newest first.

    Examples:
        >>> from datetime import UTC, datetime
        >>> monday = datetime(2026, 3, 30, tzinfo=UTC)
        >>> [one.start.day for one in season(Window(monday, monday + timedelta(hours=1)))]
        [23, 16, 9, 2]
    """
    step = max(1, -(-window.length // _WEEK)) * _WEEK
    return [Window(window.start - n * step, window.end - n * step) for n in range(1, SEASONS + 1)]


def _before(context: Context, monitor: Monitor, window: Window) -> Window:
    """The window that ends where this one begins: of the same length, or of the same number of rows."""
    wanted = monitor.window_rows
    if wanted is None:
        return Window(window.start - window.length, window.start)
    start = window.start
    hours = rows_by_hour(context.tables, context.model, until=window.start)
    for hour, rows in reversed(hours):
        start, wanted = hour, wanted - rows
        if wanted <= 0:
            break
    return Window(start, window.start)


def merged(profiles: Iterable[Profile]) -> Profile:
    """One profile of all, which are not changed; of a column that changed its kind, the rows of the first."""
    whole = Profile({})
    for profile in profiles:
        for name, column in profile.columns.items():
            taken = whole.columns.setdefault(name, ColumnProfile(column.kind))
            if taken.kind is column.kind:
                taken.merge(column)
    return whole


def _sealed(context: Context, number: int, chosen: Mapping[str, str]) -> Reference:
    what = f"the rows of release {number}"
    if number not in context.manifests:
        return Reference(what, absent=f"release {number} is not there any more")
    manifest, folder = context.manifests[number], context.folders[number]
    if not chosen and PROFILE not in manifest.files:
        return Reference(what, absent=f"release {number} was sealed without {PROFILE}: it came without rows")
    sample = sealed_sample(folder, manifest, chosen)
    if chosen:
        if sample is None:
            absent = f"release {number} was sealed without reference rows, so slices have nothing to compare with"
            return Reference(what, absent=f"{absent}; train it anew, or use reference='previous'")
        return Reference(what, sample.rows, sample.inputs, sample.prediction, sealed=True)
    data = msgspec.json.decode(read_verified(folder, manifest, PROFILE))
    rows, inputs = int(data["rows"]), Profile.from_dict(data["inputs"])
    if sample is None or not sample.rows:
        # What a model answers on rows that it learnt from is surer than what it answers on others.
        note = "the answers are compared with those on the rows of training, which are surer than on others"
        return Reference(what, rows, inputs, Profile.from_dict(data["prediction"]), sealed=True, note=note)
    return Reference(what, rows, inputs, sample.prediction, sealed=True)
