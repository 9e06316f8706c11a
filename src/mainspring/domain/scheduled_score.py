"""Score jobs that come again and again, and which of their moments is to be done now.

A moment is done once, whatever happens. Of moments that were missed (nobody ran the loop) the newest alone counts
where all would write the same output; where the output is named by the moment each is made up for, the oldest
first.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mainspring.domain.cron import parse_cron
from mainspring.domain.release import ReleaseRef
from mainspring.errors import DeclarationError

MADE_UP = 31
"""So many missed moments are made up for; older ones are passed over."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PLACE = re.compile(r"\{([^{}]*)\}")
_PLACES = {"date": "%Y-%m-%d", "time": "%H%M"}
_REMEMBERED = 400  # moments
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledScore:
    """A score job, as `mainspring.toml` declares it.

    Attributes:
        model: `adclick` (its champion at that moment), or `adclick@7`.
        inputs, output: as `mainspring score` takes them, relative to the project; `{date}` in them is the day of
            the moment and `{time}` its hour and minute, in UTC.
        schedule: five cron fields, UTC.

    Raises:
        DeclarationError, UsageError: one of them cannot be.
    """

    name: str
    model: str
    inputs: tuple[str, ...]
    output: str
    schedule: str
    keep_columns: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(
                f"the score job's name {self.name!r} is not valid",
                cure="use 1 to 63 lower-case letters, digits, _ and -, a letter first",
            )
        ReleaseRef.parse(self.model)
        parse_cron(self.schedule)
        if not self.inputs or not all(self.inputs) or not self.output:
            raise DeclarationError(
                f"the score job {self.name!r} lacks input or output", cure="name files for both"
            )
        for text in (*self.inputs, self.output):
            for place in _PLACE.findall(text):
                if place not in _PLACES:
                    raise DeclarationError(
                        f"the score job {self.name!r} has {{{place}}} in {text!r}",
                        cure="use {date} or {time}, of the moment in UTC",
                    )

    @property
    def is_named_by_moment(self) -> bool:
        """Whether each moment has an output of its own."""
        return _PLACE.search(self.output) is not None

    def at(self, moment: datetime) -> tuple[tuple[str, ...], str]:
        """Inputs and output of one moment.

        Examples:
            >>> job = ScheduledScore(name="nightly", model="adclick", inputs=("in/{date}.csv",),
            ...                      output="out/{date}-{time}.parquet", schedule="0 4 * * *")
            >>> job.at(datetime(2026, 3, 2, 4, tzinfo=UTC))
            (('in/2026-03-02.csv',), 'out/2026-03-02-0400.parquet')
        """
        utc = moment.astimezone(UTC)
        filled = [
            _PLACE.sub(lambda found: utc.strftime(_PLACES[found[1]]), text) for text in (*self.inputs, self.output)
        ]
        return tuple(filled[:-1]), filled[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMemory:
    """What is remembered of a job.

    Attributes:
        schedule, since: the schedule that holds, and since when: no earlier moment of it counts.
        done: the newest moments that were done or given up.
    """

    schedule: str | None = None
    since: datetime | None = None
    done: tuple[datetime, ...] = ()


def declared(memory: ScoreMemory, job: ScheduledScore, now: datetime) -> ScoreMemory:
    """What is remembered at a look: a schedule counts from when it is first seen; no time lies ahead of now."""
    since = memory.since if memory.schedule == job.schedule else None
    return replace(memory, schedule=job.schedule, since=min(since or now, now))


def due(job: ScheduledScore, memory: ScoreMemory, now: datetime) -> datetime | None:
    """The moment that is to be done now, if any.

    Args:
        memory: as `declared` at this look.
    """
    since = memory.since or now
    cron, moment, missed = parse_cron(job.schedule), now, []
    for _ in range(MADE_UP if job.is_named_by_moment else 1):
        moment = cron.last(moment)
        if moment <= since:
            break
        if moment not in memory.done:
            missed.append(moment)
        moment -= _TICK
    return missed[-1] if missed else None


def done(memory: ScoreMemory, moment: datetime) -> ScoreMemory:
    """What is remembered once a moment was done, or given up."""
    return replace(memory, done=(*memory.done, moment)[-_REMEMBERED:])
