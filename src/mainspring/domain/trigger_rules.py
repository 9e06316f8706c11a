"""Whether a training starts now, and why: pure rules over what is seen and what is remembered.

What shows that the model is worse comes first (`TriggerKind`). A cause starts one training: its id is remembered,
and whatever training begins after the cause arose has answered it, whoever asked for that training. A change of
the world is an exception: soon after it there are few rows of the new one to learn from, so it is followed, and
the training repeated each time that twice as many are known.

A cause that may not start one yet is held: while another training is under way, while a challenger is being
proved (unless the model is worse, and nobody is answered by the challenger yet), during the cooldown, when the
day's budget is spent, and, until a person has trained by hand, after too many trainings in a row that brought no
new champion.

Clocks jump. A time that lies ahead of now was written by a clock that was wrong, and counts as now (`noticed`): so
no wait is ever longer than it was declared to be.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mainspring.domain.cron import parse_cron
from mainspring.domain.durations import parse_duration
from mainspring.domain.retrain import Retrain
from mainspring.domain.rollout_state import RolloutStage
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.domain.trigger_signals import Change, Followed, Fruit, Held, Signals, Training, TriggerMemory

FIRST_ROWS = 400
"""So many labelled rows of the changed world are waited for, but no longer than the cooldown.

With 400, 800, 1,600 and 3,200 rows streams that change at once are sooner back than with 500 or 1,000 and its
doubles, by as many trainings.
"""
FOLLOWED = 3
"""How often a training is repeated after a change, each time with twice the rows."""
_REMEMBERED = 1_000  # ids of causes
_DAY = timedelta(days=1)
_HEARD = (RolloutStage.CANARY, RolloutStage.BAKE)  # the challenger answers somebody
_WORSE = (TriggerKind.PERFORMANCE, TriggerKind.DRIFT)  # these may overtake a challenger that answers nobody yet


def noticed(memory: TriggerMemory, signals: Signals, retrain: Retrain, now: datetime) -> TriggerMemory:
    """What is remembered after a look: the newest training, and no time that lies ahead."""
    since = memory.scheduled_since if memory.schedule == retrain.schedule else None
    newest = signals.trainings[0] if signals.trainings else None
    followed, newest_at = memory.followed, memory.newest_at
    if newest is not None and newest.run != memory.newest:
        newest_at = newest.began_at
        if newest.trigger is None or newest.trigger not in memory.answered:
            followed = _learnt(followed, signals)
    return replace(
        memory,
        schedule=retrain.schedule,
        scheduled_since=min(since or now, now),
        starts=tuple(start for start in (min(start, now) for start in memory.starts) if now - start <= 2 * _DAY),
        newest=newest.run if newest else None,
        newest_at=None if newest is None or newest_at is None else min(newest_at, now),
        followed=followed,
    )


def decide(signals: Signals, memory: TriggerMemory, retrain: Retrain, now: datetime) -> Trigger | Held | None:
    """Whether a training starts now.

    Args:
        memory: as `noticed` at this look.

    Returns:
        Why one starts; or what would start one, and why it may not; or `None` where there is no cause.

    Examples:
        >>> now = datetime(2026, 3, 2, 3, 1, tzinfo=UTC)
        >>> weekly = Retrain(schedule="0 3 * * 1")
        >>> seen = noticed(TriggerMemory(), Signals(), weekly, now - _DAY)
        >>> decide(Signals(), seen, weekly, now).reason
        'the schedule 0 3 * * 1, at 2026-03-02 03:00 UTC'
        >>> decide(Signals(), started(seen, decide(Signals(), seen, weekly, now), now), weekly, now) is None
        True
    """
    waiting: Held | None = None
    for cause in _causes(signals, memory, retrain, now):
        if isinstance(cause, Held):
            waiting = waiting or cause
        else:
            return _hold(cause, signals, memory, retrain, now) or cause
    return waiting


def started(memory: TriggerMemory, trigger: Trigger, now: datetime) -> TriggerMemory:
    """What is remembered once the trigger has started a training."""
    followed, rows = memory.followed, trigger.evidence.get("rows")
    if trigger.kind in _WORSE and trigger.since is not None and rows is not None:
        cause = _cause_of(trigger.id)
        times = followed.times + 1 if followed is not None and followed.alert == cause else 0
        followed = Followed(alert=cause, kind=trigger.kind, since=trigger.since, rows=rows, times=times)
    return replace(
        memory,
        answered=(*memory.answered, trigger.id)[-_REMEMBERED:],
        starts=(*memory.starts, now),
        followed=followed,
    )


def fruitless(trainings: Iterable[Training]) -> int:
    """How many trainings in a row, up to the newest, triggers have started for nothing.

    A person's training ends the row, whatever it brought: somebody has looked. One whose challenger is still being
    proved says nothing yet. Those of one cause count once: one that was tried again, and those that were repeated
    after a change, each of which may have taken the place of the one before it.

    Args:
        trainings: newest first.
    """
    found = set()
    for one in trainings:
        if one.trigger is None or one.fruit is Fruit.CHAMPION:
            break
        if one.fruit is Fruit.NOTHING:
            found.add(_cause_of(one.trigger))
    return len(found)


def _causes(signals: Signals, memory: TriggerMemory, retrain: Retrain, now: datetime) -> Iterator[Trigger | Held]:
    """What asks for a training and has not been answered, the most urgent first; held where it waits for rows."""
    for change in sorted(signals.changes, key=lambda one: (_URGENCY.index(one.kind), one.fired_at)):
        if change.kind in _wanted(retrain) and not _is_answered(change.alert, change.fired_at, memory):
            yield _first(change, retrain, now)
    yield from _repeated(signals, memory, retrain, now)
    if retrain.min_new_labels is not None and signals.new_labels >= retrain.min_new_labels:
        name = f"labels since {memory.newest or 'ever'}"
        if name not in memory.answered:
            reason = f"{signals.new_labels:,} new labels since the newest training"
            yield Trigger(
                id=name,
                kind=TriggerKind.NEW_LABELS,
                at=now,
                reason=reason,
                evidence={"labels": signals.new_labels, "since": _text(memory.newest_at)},
            )
    yield from _new_data(signals, memory, retrain, now)
    yield from _scheduled(memory, retrain, now)


_URGENCY = tuple(TriggerKind)


def _wanted(retrain: Retrain) -> set[TriggerKind]:
    """Which kinds of changes start a training."""
    kinds = {"performance": TriggerKind.PERFORMANCE, "drift": TriggerKind.DRIFT}
    return {kind for reason, kind in kinds.items() if reason in retrain.on}


def _is_answered(name: str, arose_at: datetime, memory: TriggerMemory) -> bool:
    """By a training of its own, or by another one that began since."""
    return name in memory.answered or (memory.newest_at is not None and memory.newest_at >= arose_at)


def _first(change: Change, retrain: Retrain, now: datetime) -> Trigger | Held:
    """The training after a change, once enough rows of the changed world are known."""
    rows = "" if change.rows is None else f", {change.rows:,} labelled rows since"
    trigger = Trigger(
        id=change.alert,
        kind=change.kind,
        at=now,
        reason=f"{change.reason}{rows}",
        since=change.since,
        evidence={"alert": change.alert, "monitor": change.monitor, "rows": change.rows},
    )
    patience = parse_duration(retrain.cooldown)
    waited = now - change.fired_at
    if change.rows is None or change.rows >= FIRST_ROWS or not timedelta(0) <= waited < patience:
        return trigger
    because = f"{change.rows:,} of {FIRST_ROWS:,} rows of the changed world are known"
    return Held(trigger=trigger, because=because, until=change.fired_at + patience)


def _repeated(signals: Signals, memory: TriggerMemory, retrain: Retrain, now: datetime) -> Iterator[Trigger]:
    """The training again, when twice as many rows of the changed world are known."""
    followed, rows = memory.followed, signals.rows_followed
    if followed is None or rows is None or followed.times >= FOLLOWED or followed.kind not in _wanted(retrain):
        return
    name = f"{followed.alert}/{followed.times + 1}"
    if rows < max(2 * followed.rows, FIRST_ROWS) or name in memory.answered:
        return
    yield Trigger(
        id=name,
        kind=followed.kind,
        at=now,
        reason=f"{rows:,} labelled rows since the change of {_text(followed.since)}; the newest training had "
        f"{followed.rows:,}",
        since=followed.since,
        evidence={"alert": followed.alert, "rows": rows, "rows_before": followed.rows},
    )


def _new_data(signals: Signals, memory: TriggerMemory, retrain: Retrain, now: datetime) -> Iterator[Trigger]:
    if "new_data" not in retrain.on or signals.source is None or signals.source_trained is None:
        return
    name = f"data {signals.source} after {signals.source_run}"  # rows that come back are news again
    if signals.source != signals.source_trained and name not in memory.answered:
        yield Trigger(
            id=name,
            kind=TriggerKind.NEW_DATA,
            at=now,
            reason="the source holds other rows than the newest training read",
            evidence={"source": signals.source, "trained": signals.source_trained},
        )


def _scheduled(memory: TriggerMemory, retrain: Retrain, now: datetime) -> Iterator[Trigger]:
    """The newest moment of the schedule: of those missed while nobody looked, only that one."""
    if retrain.schedule is None or memory.scheduled_since is None:
        return
    moment = parse_cron(retrain.schedule).last(now)
    name = f"schedule {moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    if moment > memory.scheduled_since and not _is_answered(name, moment, memory):
        yield Trigger(
            id=name,
            kind=TriggerKind.SCHEDULE,
            at=now,
            reason=f"the schedule {retrain.schedule}, at {_text(moment)}",
            evidence={"moment": moment.isoformat()},
        )


def _hold(
    trigger: Trigger, signals: Signals, memory: TriggerMemory, retrain: Retrain, now: datetime
) -> Held | None:
    """Why the trigger may not start a training now, if it may not."""
    if signals.under_way is not None:
        return Held(trigger=trigger, because=f"the run {signals.under_way} is under way")
    lost = fruitless(signals.trainings)
    if lost >= retrain.breaker:
        because = f"{lost} trainings in a row brought no new champion; look into it, then: mainspring run"
        return Held(trigger=trigger, because=because, is_broken=True)
    proving = signals.proving
    if proving is not None and (proving.stage in _HEARD or trigger.kind not in _WORSE):
        return Held(trigger=trigger, because=f"{proving.release} is being proved ({proving.stage})")
    free = _free_at(memory, parse_duration(retrain.cooldown))
    if free is not None and now < free:
        return Held(trigger=trigger, because=f"the cooldown of {retrain.cooldown}", until=free)
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if _count_since(memory.starts, today) >= retrain.per_day:
        count = f"{retrain.per_day} training{'' if retrain.per_day == 1 else 's'}"
        return Held(trigger=trigger, because=f"today's budget of {count} is spent", until=today + _DAY)
    return None


def _free_at(memory: TriggerMemory, cooldown: timedelta) -> datetime | None:
    began = [*memory.starts, *([memory.newest_at] if memory.newest_at else [])]
    return max(began) + cooldown if began else None


def _count_since(starts: Sequence[datetime], moment: datetime) -> int:
    return sum(start >= moment for start in starts)


def _learnt(followed: Followed | None, signals: Signals) -> Followed | None:
    """The change that is followed once a training of another cause has learnt from what there is of it."""
    known = [one for one in signals.changes if one.since is not None and one.rows is not None]
    newest = max(known, key=lambda one: (one.since, one.fired_at), default=None)
    if newest is not None and newest.since is not None and (followed is None or newest.alert != followed.alert):
        return Followed(alert=newest.alert, kind=newest.kind, since=newest.since, rows=newest.rows or 0)
    if followed is None:
        return None
    return replace(followed, rows=max(followed.rows, signals.rows_followed or 0))


def _cause_of(name: str) -> str:
    """What a trigger's id names, whether it is the first training for it or a repeated one."""
    return name.partition("/")[0]


def _text(moment: datetime | None) -> str:
    return "ever" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
