"""When a training starts by itself: one at a time, not too often, once for each cause, and never again in vain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.retrain import Retrain
from mainspring.domain.rollout_state import RolloutStage
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.domain.trigger_rules import FIRST_ROWS, FOLLOWED, decide, fruitless, noticed, started
from mainspring.domain.trigger_signals import Change, Fruit, Held, Proving, Signals, Training, TriggerMemory

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVERYTHING = Retrain(schedule="0 3 * * *", on=["drift", "performance", "new_data"], min_new_labels=500)


class Loop:
    """A controller whose trainings last a minute, and whose world the test is."""

    def __init__(self, retrain: Retrain = EVERYTHING, now: datetime = NOON) -> None:
        self.retrain = retrain
        self.now = now
        self.memory = TriggerMemory()
        self.seen = Signals()
        self.begun: list[Trigger] = []
        self.trained = 0
        self.look()

    def look(self, **seen: object) -> Trigger | Held | None:
        """One look; what it starts is trained at once, and releases a champion."""
        self.seen = replace(self.seen, **seen)  # type: ignore[arg-type]
        self.memory = noticed(self.memory, self.seen, self.retrain, self.now)
        found = decide(self.seen, self.memory, self.retrain, self.now)
        if isinstance(found, Trigger):
            self.memory = started(self.memory, found, self.now)
            self.begun.append(found)
            self.train(found.id)
        return found

    def train(self, trigger: str | None, fruit: Fruit = Fruit.CHAMPION) -> None:
        self.trained += 1
        one = Training(run=f"run {self.trained}", began_at=self.now, trigger=trigger, fruit=fruit)
        self.seen = replace(self.seen, trainings=(one, *self.seen.trainings), new_labels=0)

    def wait(self, time: timedelta) -> "Loop":
        self.now += time
        return self


def a_change(alert: str, at: datetime, *, rows: int | None = None, since: datetime | None = None) -> Change:
    return Change(
        alert=alert,
        kind=TriggerKind.DRIFT,
        monitor="drift",
        fired_at=at,
        since=since or at - HOUR,
        rows=rows,
        reason="the alert drift",
    )


def kind_of(found: Trigger | Held | None) -> TriggerKind | None:
    return found.kind if isinstance(found, Trigger) else None


def test_nothing_starts_without_a_cause() -> None:
    loop = Loop()
    assert loop.wait(HOUR).look() is None


def test_each_cause_starts_one_training_and_no_second() -> None:
    loop = Loop()
    assert kind_of(loop.wait(DAY).look()) is TriggerKind.SCHEDULE
    assert kind_of(loop.wait(7 * HOUR).look(new_labels=500)) is TriggerKind.NEW_LABELS
    assert loop.wait(HOUR).look() is None
    assert kind_of(loop.wait(6 * HOUR).look(source="b", source_trained="a")) is TriggerKind.NEW_DATA
    assert kind_of(loop.wait(HOUR).look()) is None
    assert kind_of(loop.wait(6 * HOUR).look(changes=(a_change("one", loop.now),))) is TriggerKind.DRIFT
    for _ in range(10):
        loop.wait(MINUTE).look()
    assert len(loop.begun) == 4


def test_what_the_model_does_not_ask_for_starts_nothing() -> None:
    loop = Loop(Retrain(min_new_labels=10))
    changes = (a_change("one", NOON), replace(a_change("two", NOON), kind=TriggerKind.PERFORMANCE))
    assert loop.wait(DAY).look(changes=changes, source="b", source_trained="a", new_labels=9) is None


def test_what_shows_that_the_model_is_worse_comes_first() -> None:
    loop = Loop().wait(DAY)
    worse = replace(a_change("late", loop.now), kind=TriggerKind.PERFORMANCE)
    everything = {"new_labels": 900, "source": "b", "source_trained": "a"}
    found = loop.look(changes=(a_change("early", loop.now - HOUR), worse), **everything)
    assert isinstance(found, Trigger)
    assert found.id == "late"


def test_moments_missed_while_nobody_looked_count_once() -> None:
    loop = Loop()
    found = loop.wait(10 * DAY).look()
    assert isinstance(found, Trigger)
    assert found.id == "schedule 2026-03-12T03:00Z"
    assert loop.wait(MINUTE).look() is None


def test_a_moment_from_before_the_schedule_was_declared_does_not_count() -> None:
    loop = Loop(Retrain(schedule="0 3 * * 1"))  # 9 hours ago
    assert loop.look() is None
    loop.retrain = Retrain(schedule="0 11 * * *")  # an hour ago
    assert loop.look() is None
    assert kind_of(loop.wait(DAY).look()) is TriggerKind.SCHEDULE


def test_a_training_by_hand_answers_what_came_before_it() -> None:
    loop = Loop().wait(14 * HOUR + 59 * MINUTE)
    change = a_change("one", loop.now)
    loop.wait(2 * MINUTE).train(None)  # at 3:01
    assert loop.wait(7 * HOUR).look(changes=(change,)) is None


def test_the_cooldown_holds_also_after_a_persons_training() -> None:
    loop = Loop(Retrain(min_new_labels=10, cooldown="6h"))
    loop.train(None)
    found = loop.wait(HOUR).look(new_labels=10)
    assert isinstance(found, Held)
    assert found.because == "the cooldown of 6h"
    assert found.until == NOON + 6 * HOUR
    assert isinstance(loop.wait(5 * HOUR).look(), Trigger)


def test_the_budget_of_a_day_is_spent_and_comes_again_at_midnight() -> None:
    loop = Loop(Retrain(min_new_labels=1, cooldown="1s", per_day=2))
    for _ in range(2):
        assert isinstance(loop.wait(HOUR).look(new_labels=1), Trigger)
    found = loop.wait(HOUR).look(new_labels=1)
    assert isinstance(found, Held)
    assert found.until == datetime(2026, 3, 3, tzinfo=UTC)
    loop.train(None)  # a person may
    loop.now = datetime(2026, 3, 3, 0, 0, 1, tzinfo=UTC)
    assert isinstance(loop.look(new_labels=1), Trigger)


def test_a_run_under_way_holds_the_next() -> None:
    loop = Loop(Retrain(min_new_labels=1))
    found = loop.look(new_labels=1, under_way="run 7")
    assert isinstance(found, Held)
    assert "run 7" in found.because
    assert isinstance(loop.look(under_way=None), Trigger)


def test_a_challenger_is_overtaken_only_where_the_model_is_worse_and_nobody_is_answered_by_it() -> None:
    loop = Loop(Retrain(min_new_labels=1, on=["drift"])).wait(HOUR)
    proving = Proving(release="adclick@2", stage=RolloutStage.SHADOW)
    found = loop.wait(HOUR).look(new_labels=1, proving=proving)
    assert isinstance(found, Held)
    assert "adclick@2" in found.because
    heard = replace(proving, stage=RolloutStage.CANARY)
    assert isinstance(loop.look(changes=(a_change("one", loop.now),), proving=heard), Held)
    assert isinstance(loop.look(proving=proving), Trigger)


def test_after_trainings_in_vain_it_stops_until_a_person_trains() -> None:
    loop = Loop(Retrain(on=["drift"], cooldown="1s", breaker=3, per_day=100))
    for number in range(3):
        change = a_change(f"drift {number}", loop.wait(HOUR).now)
        assert isinstance(loop.look(changes=(change,)), Trigger)
        loop.seen = replace(
            loop.seen,
            trainings=(replace(loop.seen.trainings[0], fruit=Fruit.NOTHING), *loop.seen.trainings[1:]),
        )
    for number in range(3, 300):
        found = loop.look(changes=(a_change(f"drift {number}", loop.wait(HOUR).now),))
        assert isinstance(found, Held)
        assert found.is_broken
    loop.train(None, Fruit.NOTHING)
    assert isinstance(loop.look(changes=(a_change("after", loop.wait(HOUR).now),)), Trigger)


def test_one_alert_that_never_ends_has_its_trainings_and_no_more() -> None:
    loop = Loop(Retrain(on=["drift"], cooldown="1s", breaker=100, per_day=100))
    at = loop.wait(HOUR).now
    for hour in range(2_000):
        rows = FIRST_ROWS + 50 * hour
        loop.look(changes=(a_change("for ever", at, rows=rows),), rows_followed=rows)
        loop.seen = replace(
            loop.seen, trainings=tuple(replace(one, fruit=Fruit.NOTHING) for one in loop.seen.trainings)
        )
        loop.wait(HOUR)
    assert len(loop.begun) == 1 + FOLLOWED
    assert {trigger.id.partition("/")[0] for trigger in loop.begun} == {"for ever"}


def test_trainings_in_vain_are_counted_by_their_causes() -> None:
    def one(trigger: str | None, fruit: Fruit) -> Training:
        return Training(run="r", began_at=NOON, trigger=trigger, fruit=fruit)

    lost, won, still = Fruit.NOTHING, Fruit.CHAMPION, Fruit.OPEN
    assert fruitless([one("c", lost), one("b", still), one("a", lost)]) == 2
    assert fruitless([one("a", lost), one("a", lost)]) == 1, "the same, tried again"
    assert fruitless([one("a/2", lost), one("a/1", lost), one("a", lost)]) == 1, "repeated after a change"
    assert fruitless([one("b", lost), one(None, lost), one("a", lost)]) == 1
    assert fruitless([one("b", still), one("a", won), one("0", lost)]) == 0


def test_soon_after_a_change_rows_are_waited_for_but_not_longer_than_the_cooldown() -> None:
    loop = Loop(Retrain(on=["drift"], cooldown="6h"))
    change = a_change("one", NOON, rows=FIRST_ROWS - 1)
    found = loop.wait(HOUR).look(changes=(change,))
    assert isinstance(found, Held)
    assert found.until == NOON + 6 * HOUR
    assert isinstance(loop.look(changes=(replace(change, rows=FIRST_ROWS),)), Trigger)
    patient = Loop(Retrain(on=["drift"], cooldown="6h"))
    assert isinstance(patient.wait(6 * HOUR).look(changes=(change,)), Trigger)


def test_the_training_after_a_change_is_repeated_as_its_rows_double() -> None:
    loop = Loop(Retrain(on=["drift"], cooldown="1s", per_day=100))
    loop.look(changes=(a_change("one", NOON, rows=FIRST_ROWS),))
    at = []
    for rows in range(FIRST_ROWS, 40 * FIRST_ROWS, 100):
        found = loop.wait(MINUTE).look(changes=(), rows_followed=rows)
        if isinstance(found, Trigger):
            at.append(rows)
            assert found.since == NOON - HOUR
    assert at == [2 * FIRST_ROWS, 4 * FIRST_ROWS, 8 * FIRST_ROWS][:FOLLOWED]


def test_a_new_change_is_followed_in_place_of_the_old_one() -> None:
    loop = Loop(Retrain(on=["drift"], cooldown="1s", per_day=100))
    loop.look(changes=(a_change("one", NOON, rows=FIRST_ROWS),))
    loop.wait(DAY).look(changes=(a_change("two", loop.now, rows=FIRST_ROWS),), rows_followed=1_500)
    loop.wait(MINUTE).look(changes=(), rows_followed=None)
    assert loop.memory.followed is not None
    assert loop.memory.followed.alert == "two"


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY, 25 * HOUR, -25 * HOUR, HOUR, -HOUR])
def test_a_clock_that_jumps_loses_no_cause_for_longer_than_a_cooldown(jump: timedelta) -> None:
    loop = Loop(Retrain(min_new_labels=1, cooldown="6h", per_day=1))
    assert isinstance(loop.look(new_labels=1), Trigger)
    loop.wait(jump).look(new_labels=1)
    before = len(loop.begun)
    loop.wait(2 * DAY).look(new_labels=1)
    assert len(loop.begun) == before + 1


def test_a_schedule_goes_on_after_a_clock_was_a_year_ahead() -> None:
    loop = Loop(Retrain(schedule="0 3 * * *"))
    loop.wait(365 * DAY).look()
    loop.wait(-365 * DAY).look()
    begun = len(loop.begun)
    for _ in range(3):
        loop.wait(DAY).look()
    assert len(loop.begun) == begun + 3


STEPS = st.lists(
    st.tuples(
        st.integers(-3 * 86_400, 3 * 86_400) | st.integers(0, 3_600),  # seconds
        st.integers(0, 900),  # new labels
        st.lists(st.integers(0, 30), max_size=3),  # alerts that fire
        st.sampled_from("abc"),  # what the source holds
        st.sampled_from([None, None, *RolloutStage]),
        st.sampled_from(list(Fruit)),  # of what is started
        st.booleans(),  # a person trains
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens_the_promises_hold(
    steps: list[tuple[int, int, list[int], str, RolloutStage, Fruit, bool]],
) -> None:
    retrain = Retrain(
        schedule="*/30 * * * *", on=["drift", "new_data"], min_new_labels=500, cooldown="2h", per_day=3, breaker=2
    )
    loop = Loop(retrain)
    furthest = loop.now
    kept: list[datetime] = []  # starts, seen by a clock that never goes back
    for seconds, labels, alerts, source, stage, fruit, by_hand in steps:
        loop.wait(timedelta(seconds=seconds))
        jumped = loop.now < furthest
        furthest = max(furthest, loop.now)
        if by_hand:
            loop.train(None)
        proving = Proving(release="m@1", stage=stage) if stage else None
        before = fruitless(loop.seen.trainings)
        found = loop.look(
            changes=tuple(a_change(str(name), loop.now) for name in alerts),
            new_labels=labels,
            source=source,
            source_trained="a",
            proving=proving,
        )
        if not isinstance(found, Trigger):
            continue
        assert before < retrain.breaker
        assert stage not in (RolloutStage.CANARY, RolloutStage.BAKE)
        if not jumped and kept:
            assert loop.now - kept[-1] >= 2 * HOUR or kept[-1] > loop.now
        kept.append(loop.now)
        first = loop.seen.trainings[0]
        loop.seen = replace(loop.seen, trainings=(replace(first, fruit=fruit), *loop.seen.trainings[1:]))
    names = [trigger.id for trigger in loop.begun]
    assert len(names) == len(set(names)), "the same cause never twice"
    for day in {start.date() for start in loop.memory.starts}:
        assert sum(start.date() == day for start in loop.memory.starts) <= 2 * retrain.per_day


@given(STEPS)
def test_with_the_same_signals_the_same_is_decided(
    steps: list[tuple[int, int, list[int], str, RolloutStage, Fruit, bool]],
) -> None:
    def decided() -> list[str]:
        loop = Loop()
        for seconds, labels, alerts, source, *_ in steps:
            changes = tuple(a_change(str(name), loop.now) for name in alerts)
            loop.wait(timedelta(seconds=seconds)).look(
                changes=changes, new_labels=labels, source=source, source_trained="a"
            )
        return [trigger.id for trigger in loop.begun]

    assert decided() == decided()
