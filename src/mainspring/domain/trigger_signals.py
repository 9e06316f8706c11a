"""What triggers see at a look, what they remember until the next, and what they hold back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mainspring.domain.rollout_state import RolloutStage
from mainspring.domain.trigger import Trigger, TriggerKind


class Fruit(StrEnum):
    """What a training brought."""

    CHAMPION = "champion"
    NOTHING = "nothing"  # it failed, a gate refused it, or its challenger did not become champion
    OPEN = "open"  # it is under way, or its challenger is being proved


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert that is firing.

    Attributes:
        alert: its id; each change has an alert of its own.
        kind: `PERFORMANCE` or `DRIFT`.
        fired_at: when it fired.
        since: from when on the rows are different.
        rows: labelled rows since then, where the model learns from labels; else `None`. While they are fewer than
            `FIRST_ROWS`, at most so many.
        reason: what it tells, in words.
    """

    alert: str
    kind: TriggerKind
    monitor: str
    fired_at: datetime
    since: datetime | None
    rows: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One that was begun.

    Attributes:
        trigger: the id of what started it; `None` for a person.
    """

    run: str
    began_at: datetime
    trigger: str | None
    fruit: Fruit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """A challenger on its way up."""

    release: str
    stage: RolloutStage


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is seen at a look.

    Attributes:
        trainings: newest first; cancelled ones left out.
        changes: the alerts that are firing.
        rows_followed: labelled rows since the change that is followed (`TriggerMemory.followed`).
        new_labels: received since the newest training began.
        source: what the source holds, by its content; `None` where that is not known.
        source_trained: what the newest training that came so far read of it.
        source_run: that training.
        proving: the open rollout.
        under_way: the run that is being done, whoever asked for it.
    """

    trainings: tuple[Training, ...] = ()
    changes: tuple[Change, ...] = ()
    rows_followed: int | None = None
    new_labels: int = 0
    source: str | None = None
    source_trained: str | None = None
    source_run: str | None = None
    proving: Proving | None = None
    under_way: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A change that the newest trainings learnt from.

    Attributes:
        rows: labelled rows since it at the newest of them.
        times: how often it was repeated.
    """

    alert: str
    kind: TriggerKind
    since: datetime
    rows: int
    times: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerMemory:
    """What is remembered from one look to the next.

    Attributes:
        schedule, scheduled_since: the schedule that holds, and since when: no earlier moment of it counts.
        answered: ids of causes that have started a training, the newest last.
        starts: when triggers started the trainings of the last days.
        newest, newest_at: the run of the newest training, whoever asked for it, and when it began.
    """

    schedule: str | None = None
    scheduled_since: datetime | None = None
    answered: tuple[str, ...] = ()
    starts: tuple[datetime, ...] = ()
    newest: str | None = None
    newest_at: datetime | None = None
    followed: Followed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A cause that may not start a training now.

    Attributes:
        because: in words.
        until: when it may, where that is known.
        is_broken: the breaker holds it, until a person trains.
    """

    trigger: Trigger
    because: str
    until: datetime | None = None
    is_broken: bool = False
