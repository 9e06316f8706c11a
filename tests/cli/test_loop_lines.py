"""What `status` says of the loop."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mainspring.cli.loop_lines import loop_lines
from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.domain.trigger_signals import Held, TriggerMemory
from mainspring.loop.loop_status import loop_status
from mainspring.loop.retraining.state import Pending, TriggerState, write_state
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.workspace import Workspace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TRIGGER = Trigger(id="a", kind=TriggerKind.DRIFT, at=NOON, reason="the alert drift of age")


def lines_of(root: Path, state: TriggerState, rollout: RolloutState | None = None) -> list[str]:
    with Workspace(load_settings(root, {}), FakeClock(NOON)) as workspace:
        write_state(workspace.records, "adclick", state)
        if rollout is not None:
            workspace.records.put_rollout(rollout)
        return loop_lines(loop_status(workspace.records, "adclick", NOON))


def test_a_loop_at_rest_says_when_its_schedule_comes(tmp_path: Path) -> None:
    assert lines_of(tmp_path, TriggerState()) == []
    memory = TriggerMemory(schedule="0 3 * * 1", scheduled_since=NOON)
    assert lines_of(tmp_path, TriggerState(memory=memory)) == [
        "adclick is trained by its schedule at 2026-03-09 03:00:00Z"
    ]


def test_a_training_is_told_with_its_reason_and_what_it_was_interrupted_by(tmp_path: Path) -> None:
    pending = Pending(trigger=TRIGGER)
    (line,) = lines_of(tmp_path, TriggerState(pending=pending))
    assert line == "adclick is being trained, for drift: the alert drift of age"
    tried = replace(pending, attempts=1, trouble="the disk is full")
    assert lines_of(tmp_path, TriggerState(pending=tried))[1] == "  in vain 1 time: the disk is full"


def test_what_is_held_is_told_with_the_end_of_the_wait(tmp_path: Path) -> None:
    held = Held(trigger=TRIGGER, because="the cooldown of 6h", until=NOON)
    (line,) = lines_of(tmp_path, TriggerState(held=held))
    assert line.endswith("drift (the alert drift of age): the cooldown of 6h, until 2026-03-02 12:00:00Z")


def test_the_challenger_is_told_with_its_stage(tmp_path: Path) -> None:
    rollout = RolloutState(
        id="r",
        model="adclick",
        challenger=5,
        before=4,
        plan=Rollout(),
        stage=RolloutStage.CANARY,
        step=1,
        started_at=NOON,
        entered_at=NOON,
        note="300 of 500 requests",
    )
    (line,) = lines_of(tmp_path, TriggerState(), rollout)
    assert line == "adclick@5 is being proved: canary step 2 since 2026-03-02 12:00:00Z: 300 of 500 requests"
