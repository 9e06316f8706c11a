"""What changed: of each column all that was measured of it, beside its picture; the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.measurement import Measurement, State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.picture import FeaturePicture, told
from mainspring.monitoring.report.series import OF_JOBS, Series
from mainspring.monitoring.report.words import example, plain, share

_KINDS = (MonitorKind.DRIFT, MonitorKind.PREDICTION)
_RANK = {State.BAD: 0, State.UNKNOWN: 1, State.FINE: 2}
_LONGEST_SENTENCE = 300
ALL_AT_ONCE = "all inputs at once"


@dataclass(frozen=True, slots=True)
class Change:
    """A column (an input, the answer, a score), or all at once, and how it stands.

    Attributes:
        name: the column's.
        is_answer: that it is what the model answered, not what it was asked.
        release: whose answer it is, where several releases answer; else `None`.
        of_jobs: that it is so in the rows of score jobs, not in the answers of the prediction log.
        series: of the column and of its parts (`age: missing`), over all rows and by slice; the worst first.
        sentence: what is different, in words; empty where nothing is known of it.
    """

    name: str
    is_answer: bool
    release: int | None
    series: tuple[Series, ...]
    picture: FeaturePicture | None
    sentence: str
    of_jobs: bool = False

    @property
    def title(self) -> str:
        whose = "" if self.release is None else f" of release {self.release}"
        return plain(self.name) + whose + (OF_JOBS if self.of_jobs else "")

    @property
    def worst(self) -> Series:
        return self.series[0]

    @property
    def state(self) -> State:
        return self.worst.state

    @property
    def since(self) -> datetime | None:
        """When the first of what is bad now was seen to be."""
        return min((one.since for one in self.series if one.since is not None), default=None)


def changes_of(series: Sequence[Series], pictures: Sequence[FeaturePicture]) -> list[Change]:
    """All columns that are measured now: bad ones first, then what cannot be said, then by their effect."""
    by_name = {picture.name: picture for picture in pictures}
    now = [one for one in series if one.kind in _KINDS and one.current]
    subjects = {one.subject for one in now}
    answering = {one.release for one in now if one.kind == MonitorKind.PREDICTION and not one.of_jobs}
    columns: dict[tuple[str, bool, int | None, bool], list[Series]] = {}
    for one in now:
        is_answer = one.kind == MonitorKind.PREDICTION
        release = one.release if is_answer and len(answering) > 1 and not one.of_jobs else None
        column = _column(one.subject, by_name, subjects)
        columns.setdefault((column, is_answer, release, one.of_jobs), []).append(one)
    changes = []
    for (name, is_answer, release, of_jobs), found in columns.items():
        found.sort(key=_order)
        picture = None if of_jobs else by_name.get(name)  # pictures are of the prediction log
        sentence = plain(_sentence(found[0], name, picture), _LONGEST_SENTENCE)
        changes.append(Change(name, is_answer, release, tuple(found), picture, sentence, of_jobs))
    return sorted(changes, key=lambda change: (*_order(change.worst), change.name, change.release or 0))


def _column(subject: str, pictures: Mapping[str, FeaturePicture], subjects: set[str]) -> str:
    """The column of `age: missing` is `age`, where there is such a column and no other of the whole name."""
    head, colon, _ = subject.rpartition(": ")
    if subject in pictures or not colon:
        return subject or ALL_AT_ONCE
    return head if head in pictures or head in subjects else subject


def _order(series: Series) -> tuple[int, int, float]:
    """All rows before slices, so that a picture of all rows stands beside the figure of all rows."""
    return (_RANK[series.state], len(series.slice), -series.severity)


def _sentence(worst: Series, name: str, picture: FeaturePicture | None) -> str:
    one = worst.shown
    if worst.newest.state is State.UNKNOWN and worst.newest.note:
        return worst.newest.note
    if worst.slice or worst.subject not in (name, ""):
        part = worst.subject.removeprefix(name).removeprefix(": ")
        return one.note or example(one) or (_of_part(part, one) if part else "")
    shown = told(picture) if picture is not None else ""
    return shown or one.note or (example(one) if worst.state is State.BAD else "")


def _of_part(part: str, one: Measurement) -> str:
    was = "" if one.reference is None else f", was {share(one.reference)}"
    return f"{plain(part)}: {share(one.value)}{was}"
