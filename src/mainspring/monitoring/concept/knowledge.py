"""What the monitor of the concept knows from look to look: which hours it took, what they said, what changed.

An hour, or a part of it where the monitor looks more often, is taken when its labels are in. Labels that come
after that are followed by a detector of their own: whose truth comes late is often another than whose comes in
time (who pays late, who complains), and each is to be compared with its like. In one stream, a month's late
labels that come at once would pass for a change.

What is usual is learnt from a release's first labels, and before them from the rows that a retraining held out:
the newest that were known, so that a change which goes on while the next model is trained is seen at once, and not
when five hundred labels have made it the usual. The rows that other releases held out tell nothing: what was so
long ago may be gone for good, and each training for that would be followed by the next. A change among the rows
that were held out is told like any other: the release is wrong about the newest that is known. So is what no
detector can find, since it was so from the first row on: that a release learnt while the truth was still changing
(`doubt`).

What is not seen: labels that come more than a week after their hour was taken, and corrections of labels that were
taken. The monitors of the performance, which look at a window as a whole, see corrections that are in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mainspring.domain.instants import moment_of
from mainspring.monitoring.concept.detectors import Found
from mainspring.monitoring.concept.doubt import Doubt
from mainspring.monitoring.concept.label_stream import Hour, beginning, grain, label_stream, late_labels
from mainspring.monitoring.concept.signals import signals
from mainspring.monitoring.concept.stream import HourSums, Stream
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import labelled
from mainspring.release.reference_rows import read_reference_rows

STATE_FORMAT = 3
TIMELY, LATE = "timely", "late"
"""The two streams: what was known of an hour when it was taken, and what came later."""

_LATEST = timedelta(days=7)
"""What comes to be known of hours that lie so far before the first that still waits is not seen any more."""
_MOST_MISSING = 2_000
"""Hours, or parts of them, that late labels are waited for; a week has 168 hours."""

_MOST_CHANGES = 20

NEEDLESS = -1
"""In place of a column of the stream: that the release doubts without need."""


@dataclass(frozen=True, slots=True)
class NewLabels:
    """How many labels a look saw for the first time, by the stream that they went to."""

    timely: int
    late: int


@dataclass(slots=True)
class Knowledge:
    """What the monitor knows from look to look.

    Attributes:
        whose: of which release, by which method, in which form, by how much at a time.
        next: the beginning of the first hour that was not taken yet.
        looked: the time of the last look; `None` before the first.
        missing: the hours that were taken in the last week, with the answers that had no label.
        changes: the newest ones, in the order of the finding.
        doubt: of the release, as long as something may come of it.
    """

    whose: Mapping[str, Any]
    next: datetime
    looked: datetime | None
    missing: dict[datetime, int]
    changes: list[dict[str, Any]]
    streams: dict[str, Stream]
    doubt: Doubt | None = None

    @classmethod
    def resumed(cls, look: Look) -> Knowledge:
        """What is known since the last look, or a new beginning."""
        method = look.monitor.method
        known = look.context.states.get(look.monitor.name, {})
        length = grain(look.monitor)
        whose = {
            "format": STATE_FORMAT,
            "release": look.release,
            "method": method,
            "grain": length.total_seconds(),
        }
        if not known or any(known.get(name) != value for name, value in whose.items()):
            streams = {name: Stream(method) for name in (TIMELY, LATE)}
            begun = cls(whose, beginning(look.window.start, length), None, {}, [], streams)
            begun._expect(look)
            return begun
        return cls(
            whose,
            datetime.fromisoformat(known["next"]),
            datetime.fromisoformat(known["looked"]),
            {datetime.fromisoformat(hour): count for hour, count in known["missing"]},
            list(known["changes"]),
            {name: Stream(method, state) for name, state in known["streams"].items()},
            None if known["doubt"] is None else Doubt.from_dict(known["doubt"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.whose,
            "next": self.next.isoformat(),
            "looked": self.looked.isoformat() if self.looked else None,
            "missing": [[hour.isoformat(), count] for hour, count in sorted(self.missing.items())],
            "changes": self.changes,
            "streams": {name: stream.to_dict() for name, stream in self.streams.items()},
            "doubt": None if self.doubt is None else self.doubt.to_dict(),
        }

    @property
    def watches(self) -> bool:
        """Whether the stream that most labels are of knows what is usual."""
        return max(self.streams.values(), key=lambda stream: stream.detector.seen).detector.ready

    @property
    def seen(self) -> int:
        return sum(stream.detector.seen for stream in self.streams.values())

    def since(self, moment: datetime) -> list[HourSums]:
        return [hour for stream in self.streams.values() for hour in stream.since(moment)]

    def found_since(self, moment: datetime) -> list[dict[str, Any]]:
        """The changes that were found after this moment, in the order in which they began."""
        found = [one for one in self.changes if datetime.fromisoformat(one["found_at"]) > moment]
        return sorted(found, key=lambda one: datetime.fromisoformat(one["since"]))

    def take_in(self, look: Look) -> NewLabels:
        """Feed what is new: first what came late, which was known before the hours that are taken now."""
        timely = late = 0
        if self.looked is not None:
            for hour in late_labels(look, self.missing.keys(), self.looked):
                late += self._feed(look, LATE, hour)
                self.missing[hour.start] = max(0, self.missing[hour.start] - len(hour.known.truth))
        for hour in label_stream(look, self.next):
            timely += self._feed(look, TIMELY, hour)
            self.missing[hour.start] = hour.known.answered - len(hour.known.truth)
            self.next = hour.start + grain(look.monitor)
        self.looked = look.context.now
        oldest = self.next - _LATEST
        missing = [(hour, count) for hour, count in self.missing.items() if count and hour >= oldest]
        self.missing = dict(missing[-_MOST_MISSING:])
        return NewLabels(timely, late)

    def _expect(self, look: Look) -> None:
        """Begin with the rows by which a release was judged, where these were the newest that were known."""
        training = look.manifest.training
        if training is None or "since" not in training.split:
            return
        reference = read_reference_rows(look.context.folders[look.manifest.number], look.manifest)
        if reference is not None:
            cut, known = moment_of(int(training.split["cut"])), labelled(reference, look.manifest)
            self._note(look, TIMELY, self.streams[TIMELY].expect(cut, signals(known, look.monitor.method)))
            self.doubt = Doubt.at_birth(look, cut, known)

    def _feed(self, look: Look, name: str, hour: Hour) -> int:
        values = signals(hour.known, look.monitor.method)
        self._note(look, name, self.streams[name].feed(hour.start, values))
        self._weigh_doubt(look, hour)
        return len(values)

    def _weigh_doubt(self, look: Look, hour: Hour) -> None:
        """Once it is known to be needless it is a change like others, since the first row that was held out."""
        doubt = self.doubt
        if doubt is None:
            return
        doubt.add(hour.known)
        is_needless = doubt.is_needless
        if is_needless:
            self._keep(
                look,
                stream=TIMELY,
                since=doubt.since,
                seen=hour.start,
                before=doubt.before.mean,
                after=doubt.now.mean,
                column=NEEDLESS,
            )
        if is_needless or doubt.is_over:
            self.doubt = None

    def _note(self, look: Look, name: str, changes: Sequence[Found]) -> None:
        stream = self.streams[name]
        for found in changes:
            since, seen = stream.hour_of(found.since), stream.hour_of(found.index)
            if not self._is_known(name, since):
                self._keep(
                    look,
                    stream=name,
                    since=since,
                    seen=seen,
                    index=found.index,
                    before=found.before,
                    after=found.after,
                    column=found.column,
                )

    def _keep(self, look: Look, *, since: datetime, seen: datetime, **facts: Any) -> None:
        found_at = look.context.now.isoformat()
        change = {**facts, "found_at": found_at, "since": since.isoformat(), "seen": seen.isoformat()}
        self.changes = [*self.changes, change][-_MOST_CHANGES:]

    def _is_known(self, name: str, since: datetime) -> bool:
        """Whether the other stream has told of the change already."""
        return any(one["stream"] != name and since <= datetime.fromisoformat(one["seen"]) for one in self.changes)
