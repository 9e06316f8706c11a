"""Triggers over real stores: what they see, what they remember, and what becomes of a training that was killed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.data.labels import DTYPES, label_frame
from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.feedback import message
from mainspring.domain.ids import uuid7
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.model import Model
from mainspring.domain.monitor import AlertSeverity
from mainspring.domain.prediction_log import PREDICTION_COLUMNS, labels_table, predictions_table
from mainspring.domain.retrain import Retrain
from mainspring.domain.run import Run, RunState, Stage
from mainspring.domain.source import Source
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.domain.trigger_rules import FIRST_ROWS
from mainspring.domain.trigger_signals import Held
from mainspring.errors import WorkspaceBusy
from mainspring.loop.lifecycle.workflow import run_lease
from mainspring.loop.own_alerts import BREAKER
from mainspring.loop.retraining.breaker import tell_breaker
from mainspring.loop.retraining.state import read_state
from mainspring.loop.retraining.triggers import Triggers
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.workspace import Workspace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def a_model(**retrain: Any) -> Model:
    return Model("adclick", source=Source("rows.csv"), target="clicked", retrain=Retrain(**retrain))


def next_trigger(workspace: Workspace, model: Model) -> Trigger | Held | None:
    """What another controller that has just begun would see."""
    return Triggers(workspace, model).next()


class Place:
    """A workspace, whose runs, alerts and labels the test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = FakeClock(NOON)
        self.workspace = Workspace(load_settings(root, {}), self.clock)
        self.records = self.workspace.records

    def run(self, state: RunState, trigger: Trigger | None = None, **more: Any) -> Run:
        """A run that began just now, and has ended so if the state is final."""
        detail = {} if trigger is None else {"trigger": {"id": trigger.id, "reason": trigger.reason}}
        run = Run(
            id=uuid7(self.clock),
            model="adclick",
            state=RunState.RUNNING,
            stage=Stage.TRAIN,
            budget={"trials": 1},
            started_at=self.clock.now(),
            detail={**detail, **more},
        )
        self.records.begin_run(run)
        self.clock.sleep(60)
        if state.is_final:
            run = replace(run, state=state, ended_at=self.clock.now())
            self.records.update_run(run)
        return run

    def alert(self, monitor: str, kind: str) -> Alert:
        """One that fires from now on."""
        now = self.clock.now()
        cause = Measurement(monitor, kind, "age", Window(now - HOUR, now), now, State.BAD, value=1.0, bar=0.5)
        alert = Alert(
            id=uuid7(self.clock),
            model="adclick",
            monitor=monitor,
            severity=AlertSeverity.WARNING,
            state=AlertState.FIRING,
            since=now,
            last_seen=now,
            causes=(cause,),
            fired_at=now,
            changed_at=now - HOUR,
        )
        self.records.record_looks("adclick", {monitor: (None, now)}, alerts=[alert])
        return alert

    def answers(self, first: int, last: int) -> None:
        """One for each number, given now."""
        now, count = self.clock.now(), last - first
        known = {
            "day": [now.date()] * count,
            "id": [f"{number}/0" for number in range(first, last)],
            "at": [now] * count,
            "release": [1] * count,
            "role": ["champion"] * count,
        }
        schema = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}
        rows = pl.DataFrame({name: known.get(name, [None] * count) for name in schema}, schema=schema)
        self.workspace.tables.record(predictions_table("adclick"), rows, partition="day", offsets={})

    def labels(self, first: int, last: int) -> None:
        """One about each of these predictions, received now."""
        said = [
            message(
                prediction_id=f"{number}/0",
                key=None,
                name="label",
                label="yes",
                value=None,
                happened_at=None,
                feedback_id=None,
            )
            for number in range(first, last)
        ]
        rows = label_frame(said, self.clock.now())
        self.workspace.tables.record(labels_table("adclick"), rows, partition="day", offsets={})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    with found.workspace:
        yield found


def started(found: Trigger | Held | None) -> Trigger:
    assert isinstance(found, Trigger), found
    return found


def test_a_model_without_a_policy_is_left_alone(place: Place) -> None:
    model = Model("adclick", source=Source("rows.csv"), target="clicked")
    assert next_trigger(place.workspace, model) is None
    assert place.records.loop_state("adclick") == {}


def test_an_alert_starts_one_training_and_the_history_tells_why(place: Place) -> None:
    model = a_model(on=["drift"])
    assert next_trigger(place.workspace, model) is None
    alert = place.alert("drift", "drift")
    trigger = started(next_trigger(place.workspace, model))
    assert (trigger.id, trigger.kind, trigger.since) == (alert.id, TriggerKind.DRIFT, alert.changed_at)
    assert "drift of age" in trigger.reason
    place.run(RunState.RELEASED, trigger)
    place.clock.sleep(86_400)
    assert next_trigger(place.workspace, model) is None
    told = [entry for entry in place.records.history("adclick") if entry.kind == "trigger"]
    assert [entry.once for entry in told] == [alert.id]


@pytest.mark.parametrize(
    ("kind", "on", "expected"),
    [
        ("concept", "drift", TriggerKind.DRIFT),
        ("prediction", "drift", TriggerKind.DRIFT),
        ("estimate", "performance", TriggerKind.PERFORMANCE),
        ("performance", "performance", TriggerKind.PERFORMANCE),
        ("performance", "drift", None),
        ("technical", "performance", None),
        ("fairness", "drift", None),
    ],
)
def test_which_alerts_count_as_what(place: Place, kind: str, on: str, expected: TriggerKind | None) -> None:
    place.alert("it", kind)
    found = next_trigger(place.workspace, a_model(on=[on]))
    assert (found.kind if isinstance(found, Trigger) else None) is expected


def test_new_labels_are_counted_once_each_since_the_newest_training(place: Place) -> None:
    model = a_model(min_new_labels=100, cooldown="1s")
    place.labels(0, 500)
    place.clock.sleep(60)
    place.run(RunState.RELEASED)
    place.labels(500, 599)
    place.labels(520, 540)  # told twice
    triggers = Triggers(place.workspace, model)
    assert triggers.next() is None
    place.clock.sleep(10)
    place.labels(599, 600)
    trigger = started(triggers.next())
    assert trigger.evidence["labels"] == 100
    place.run(RunState.REFUSED, trigger)
    place.clock.sleep(60)
    assert triggers.next() is None, "they are counted anew since it"


def test_after_a_training_of_a_clock_that_was_ahead_new_labels_count(place: Place) -> None:
    model = a_model(min_new_labels=100, cooldown="1s")
    place.clock.set(NOON + timedelta(days=365))
    place.run(RunState.RELEASED)
    place.clock.set(NOON)
    triggers = Triggers(place.workspace, model)
    assert triggers.next() is None
    place.clock.sleep(60)
    place.labels(0, 100)
    place.clock.sleep(10)
    trigger = started(triggers.next())
    assert trigger.evidence["labels"] == 100
    place.run(RunState.REFUSED, trigger)
    place.clock.sleep(10)
    assert triggers.next() is None
    place.labels(100, 200)
    place.clock.sleep(10)
    assert started(triggers.next()).id != trigger.id, "and again after the next one"


def test_after_a_change_its_labelled_rows_are_waited_for_and_learnt_from_again_as_they_double(
    place: Place,
) -> None:
    model = a_model(on=["drift"], cooldown="2h")
    place.answers(0, 500)  # before the change: their labels tell nothing of it
    place.clock.sleep(7_200)
    alert = place.alert("concept_residual", "concept")
    place.answers(500, 3_000)
    place.clock.sleep(60)
    place.labels(0, 499 + FIRST_ROWS)
    triggers = Triggers(place.workspace, model)
    held = triggers.next()
    assert isinstance(held, Held)
    assert held.because == f"{FIRST_ROWS - 1:,} of {FIRST_ROWS:,} rows of the changed world are known"
    place.clock.sleep(60)
    place.labels(499 + FIRST_ROWS, 500 + FIRST_ROWS)
    trigger = started(triggers.next())
    assert (trigger.id, trigger.since, trigger.evidence["rows"]) == (alert.id, alert.changed_at, FIRST_ROWS)
    place.run(RunState.RELEASED, trigger)
    place.clock.sleep(7_200)
    place.labels(500 + FIRST_ROWS, 499 + 2 * FIRST_ROWS)
    assert triggers.next() is None
    place.clock.sleep(60)
    place.labels(499 + 2 * FIRST_ROWS, 500 + 2 * FIRST_ROWS)
    again = started(triggers.next())
    assert (again.id, again.kind, again.since) == (f"{alert.id}/1", TriggerKind.DRIFT, alert.changed_at)
    assert again.evidence["rows"] == 2 * FIRST_ROWS


def test_a_source_is_read_when_it_stands_still_and_starts_a_training_for_other_rows(place: Place) -> None:
    from mainspring.data.schema_file import parse_schema

    rows = place.root / "rows.csv"
    rows.write_text("age,clicked\n1,yes\n2,no\n")
    schema = parse_schema('[columns.age]\nkind = "integer"\n\n[columns.clicked]\nkind = "category"\n')
    model = a_model(on=["new_data"], cooldown="1s")
    taken = place.workspace.snapshots.take(model.source, schema, place.root)
    place.records.update_run(replace(place.run(RunState.RELEASED), state=RunState.RELEASED, snapshot=taken.id))
    triggers = Triggers(place.workspace, model, place.root)
    place.clock.sleep(60)
    assert triggers.next() is None
    rows.touch()
    assert triggers.next() is None
    assert triggers.next() is None, "the same rows at another time"
    rows.write_text("age,clicked\n1,yes\n2,no\n3,no\n")
    assert triggers.next() is None, "somebody may still be writing"
    trigger = started(triggers.next())
    assert trigger.kind is TriggerKind.NEW_DATA
    place.run(RunState.REFUSED, trigger)
    place.clock.sleep(60)
    assert triggers.next() is None, "these rows have had their training"
    taken = place.workspace.snapshots.take(model.source, schema, place.root)
    place.records.update_run(replace(place.run(RunState.RELEASED), state=RunState.RELEASED, snapshot=taken.id))
    place.clock.sleep(60)
    assert triggers.next() is None
    for content in ("age,clicked\n1,yes\n2,no\n", "age,clicked\n1,yes\n2,no\n3,no\n"):
        rows.write_text(content)
        triggers.next()
        trigger = started(triggers.next())
        assert trigger.kind is TriggerKind.NEW_DATA, "rows that come back are news again"
        taken = place.workspace.snapshots.take(model.source, schema, place.root)
        run = place.run(RunState.RELEASED, trigger)
        place.records.update_run(replace(run, snapshot=taken.id))
        place.clock.sleep(60)
        assert triggers.next() is None


def test_a_source_that_is_gone_starts_nothing(place: Place) -> None:
    triggers = Triggers(place.workspace, a_model(on=["new_data"]), place.root)
    assert triggers.next() is None
    assert triggers.next() is None


def test_a_training_that_was_killed_is_gone_on_with(place: Place) -> None:
    model = a_model(on=["drift"])
    place.alert("drift", "drift")
    trigger = started(next_trigger(place.workspace, model))
    assert next_trigger(place.workspace, model) == trigger, "killed before it began"
    run = place.run(RunState.RUNNING, trigger)
    assert next_trigger(place.workspace, model) == trigger, "killed in the middle"
    with place.records.lease(run_lease("adclick"), "a person", ttl=60):
        assert isinstance(next_trigger(place.workspace, model), Held), "somebody is at it"
    place.records.update_run(replace(run, state=RunState.RELEASED, ended_at=place.clock.now()))
    assert next_trigger(place.workspace, model) is None
    assert len([entry for entry in place.records.history("adclick") if entry.kind == "trigger"]) == 1


def test_a_store_that_was_busy_is_tried_again_and_a_refusal_is_not(place: Place) -> None:
    model = a_model(on=["drift"])
    place.alert("drift", "drift")
    trigger = started(next_trigger(place.workspace, model))
    busy = {"error": {"error": "DiskFull", "message": "the disk is full", "cure": "", "where": {}}}
    for pause in (30, 240, 1_920):
        place.run(RunState.FAILED, trigger, **busy)
        held = next_trigger(place.workspace, model)
        assert isinstance(held, Held)
        assert "the disk is full" in held.because
        place.clock.sleep(pause)
        assert next_trigger(place.workspace, model) == trigger
    place.run(RunState.FAILED, trigger, **busy)
    assert next_trigger(place.workspace, model) is None, "it was tried four times"
    other = place.alert("drift_of_all", "drift")
    place.clock.sleep(86_400)
    again = started(next_trigger(place.workspace, model))
    assert again.id == other.id
    refused = {"error": {"error": "Refused", "message": "a gate failed", "cure": "", "where": {}}}
    place.run(RunState.REFUSED, again, **refused)
    assert next_trigger(place.workspace, model) is None


def test_a_process_that_ends_in_vain_is_started_again_some_times_and_then_given_up(place: Place) -> None:
    model = a_model(on=["drift"])
    place.alert("drift", "drift")
    triggers = Triggers(place.workspace, model)
    trigger = started(triggers.next())
    run = place.run(RunState.RUNNING, trigger)
    fits = place.workspace.run_folder(run.id) / "training" / "fits"
    fits.mkdir(parents=True)
    for pause in (30, 240, 1_920):
        triggers.put_off("its process ended by SIGKILL")
        assert isinstance(triggers.next(), Held)
        place.clock.sleep(pause)
        assert triggers.next() == trigger
    triggers.put_off("its process ended by SIGKILL")
    assert triggers.next() is None
    ended = place.records.run(run.id)
    assert ended is not None
    assert ended.state is RunState.FAILED
    assert "SIGKILL" in ended.detail["error"]["message"]
    assert not fits.exists()
    (told,) = [entry for entry in place.records.history("adclick") if entry.kind == "training given up"]
    assert "it was tried 4 times" in told.reason


def test_a_pause_is_not_longer_because_a_clock_was_ahead(place: Place) -> None:
    model = a_model(on=["drift"])
    place.alert("drift", "drift")
    triggers = Triggers(place.workspace, model)
    trigger = started(triggers.next())
    place.clock.set(NOON + timedelta(days=365))
    triggers.put_off("its process ended by SIGKILL")
    place.clock.set(NOON)
    assert triggers.next() == trigger


def test_memory_that_cannot_be_read_is_forgotten(place: Place) -> None:
    for broken in ({"format": 99}, {"format": 1}, {"format": 1, "state": {"pending": 3}}):
        place.records.put_loop_state("adclick", broken)
        assert next_trigger(place.workspace, a_model(on=["drift"])) is None


def test_looking_again_writes_nothing(place: Place) -> None:
    model = a_model(on=["drift"], schedule="0 3 * * 1", min_new_labels=10)
    place.run(RunState.RELEASED)
    place.alert("drift", "drift")
    assert isinstance(next_trigger(place.workspace, model), Held), "the cooldown"
    before = place.records.loop_state("adclick")
    place.clock.sleep(3)
    assert isinstance(next_trigger(place.workspace, model), Held)
    assert place.records.loop_state("adclick") == before


def test_the_breaker_is_told_by_an_alert_until_a_person_has_trained(place: Place) -> None:
    model = a_model(on=["drift"], cooldown="1s", breaker=2, per_day=50)
    triggers = Triggers(place.workspace, model)

    def told() -> list[str]:
        """One turn of the controller."""
        triggers.next()
        return [str(event.kind) for event in tell_breaker(place.workspace, model, triggers.stopped)]

    for number in range(2):
        place.alert(f"drift {number}", "drift")
        place.run(RunState.REFUSED, started(triggers.next()))
    place.alert("drift 2", "drift")
    place.clock.sleep(60)
    assert told() == ["fired"]
    assert told() == []
    (alert,) = [one for one in place.records.alerts("adclick") if one.monitor == BREAKER.name]
    assert (alert.causes[0].value, alert.severity) == (2.0, "critical")
    place.run(RunState.RELEASED)
    assert told() == []
    place.clock.sleep(3)
    assert told() == ["resolved"]
    assert read_state(place.records, "adclick").stopped == 0


def test_another_controller_that_was_late_writes_nothing(place: Place) -> None:
    model = a_model(on=["drift"])
    place.alert("drift", "drift")
    lease = place.records.lease("controller", "the first", ttl=10)
    with Workspace(place.workspace.settings, place.clock) as second, place.records.fenced(lease):
        place.clock.sleep(20)  # it hung, and lost the lease
        with second.records.lease("controller", "the second", ttl=10), pytest.raises(WorkspaceBusy):
            next_trigger(place.workspace, model)
        assert second.records.loop_state("adclick") == {}
