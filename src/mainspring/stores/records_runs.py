"""What the history tells of a run."""

from datetime import datetime

import sqlalchemy as sa

from mainspring.domain.history import EntryKind
from mainspring.domain.run import Run, RunState
from mainspring.stores.records_history import append


def tell_run(connection: sa.Connection, at: datetime, run: Run) -> None:
    """Write that a run has begun, by whom and what for, or how it ended."""
    error, trigger = run.detail.get("error"), run.detail.get("trigger")
    actor = f"run {run.id}"
    if run.state is RunState.RUNNING:
        actor = "controller" if trigger else run.detail.get("actor", actor)
        reason = trigger["reason"] if trigger else "by hand"
    else:
        reason = error["message"] if error else run.detail.get("reason", str(run.state))
    detail = {
        "run": run.id,
        "state": run.state,
        "stage": run.stage,
        "budget": run.budget,
        "snapshot": run.snapshot,
        "release": run.release,
        "trigger": trigger,
    }
    told = {name: value for name, value in detail.items() if value is not None}
    append(connection, at, run.model, EntryKind.TRAINING, actor=actor, reason=reason, detail=told)
