"""The lifecycle of a model: one run from the source to a release or a refusal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from mainspring import errors
from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.budget import Budget
from mainspring.domain.ids import uuid7
from mainspring.domain.ports import Lease
from mainspring.domain.release import ReleaseRef
from mainspring.domain.run import Run, RunState, Stage
from mainspring.loop.context import RunContext, RunStopped
from mainspring.loop.engine import Engine, engine
from mainspring.loop.progress import Progress, Silent
from mainspring.loop.stages import evaluate, gates, register, rollout, seal, snapshot, train, validate
from mainspring.project import Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.finding import ValidationReport
    from mainspring.domain.release import Manifest
    from mainspring.domain.verdict import Verdict

_LEASE_SECONDS = 30.0
_STAGES = {
    Stage.SNAPSHOT: snapshot.run,
    Stage.VALIDATE: validate.run,
    Stage.TRAIN: train.run,
    Stage.EVALUATE: evaluate.run,
    Stage.GATES: gates.run,
    Stage.SEAL: seal.run,
    Stage.REGISTER: register.run,
    Stage.ROLLOUT: rollout.run,
}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, and what it left.

    Attributes:
        error: why there is no release, where there is none.
        manifest: of the release, where there is one.
    """

    run: Run
    error: errors.MainspringError | None
    report: ValidationReport | None
    verdicts: tuple[Verdict, ...]
    manifest: Manifest | None


def run(
    project: Project, *, budget: Budget, progress: Progress | None = None, clock: Clock = SYSTEM_CLOCK
) -> RunOutcome:
    """Take the project's model through its lifecycle; go on with a run that was killed.

    Ctrl-C ends the search with the best so far (or, before the first trial has ended, the run with nothing);
    a second one leaves at once, and the next call goes on from there.

    Raises:
        WorkspaceBusy: another run is under way.
        ProjectError: the project does not load.
    """
    progress = progress or Silent()
    with Workspace(project.settings, clock) as workspace:
        holder = f"run by process {os.getpid()}"
        with workspace.records.lease("controller", holder, ttl=_LEASE_SECONDS) as lease:
            begun, resumed = _begin(project, workspace, budget, clock)
            progress.started(begun.id, begun.stage if resumed else None)
            context = RunContext(project, workspace, begun, budget, progress)
            with (
                _kept(lease, context.stop),
                engine(
                    project.settings.workflows_url,
                    executor=begun.id,
                    run_stage=lambda _, stage: _run_stage(context, Stage(stage), lease, clock),
                ) as started,
            ):
                return _finish(context, _wait(started, context), clock)


def _begin(project: Project, workspace: Workspace, budget: Budget, clock: Clock) -> tuple[Run, bool]:
    """The run that was killed, if the code and the budget are still the same, else a new one."""
    made_from = {"code": project.code_digest, "budget": budget.to_dict()}
    for run in workspace.records.runs(project.model.name):
        if run.state is not RunState.RUNNING:
            continue
        if run.detail.get("made_from") == made_from:
            return run, True
        # Holding the lease we know that nobody works on it; what it was made from has changed since.
        workspace.records.update_run(
            replace(run, state=RunState.CANCELLED, ended_at=clock.now(), detail={"reason": "superseded"})
        )
    fresh = Run(
        id=uuid7(clock),
        model=project.model.name,
        state=RunState.RUNNING,
        stage=Stage.SNAPSHOT,
        budget=budget.to_dict(),
        started_at=clock.now(),
        detail={"made_from": made_from},
    )
    return workspace.records.begin_run(fresh), False


def _wait(started: Engine, context: RunContext) -> dict[str, Any]:
    """Run to the end; the first Ctrl-C asks the run to stop, the second is let through."""
    while True:
        try:
            return started.run(context.run.id, list(Stage))
        except KeyboardInterrupt:
            if context.stop.is_set():
                raise
            context.stop.set()
        except Exception as fault:
            # A fault of ours. The engine has it on record and would only repeat it, so this run is over.
            told = errors.MainspringError(
                f"{type(fault).__name__}: {str(fault)[:500]}", cure="start the run again"
            )
            context.workspace.records.update_run(
                replace(
                    context.run,
                    state=RunState.FAILED,
                    ended_at=context.workspace.clock.now(),
                    detail={**context.run.detail, "error": told.to_dict()},
                )
            )
            raise


def _run_stage(context: RunContext, stage: Stage, lease: Lease, clock: Clock) -> dict[str, Any]:
    """One stage: its result, or why the run ends here."""
    lease.renew()
    context.note(stage=stage)
    context.progress.stage_started(stage)
    began = clock.monotonic()
    try:
        summary = _STAGES[stage](context)
    except errors.MainspringError as error:
        state = RunState.REFUSED if isinstance(error, errors.Refused) else RunState.FAILED
        return {"stop": state, "error": error.to_dict(), "stage": stage}
    except RunStopped:
        return {"stop": RunState.CANCELLED, "stage": stage}
    context.progress.stage_ended(stage, clock.monotonic() - began, summary)
    return {"summary": summary}


def _finish(context: RunContext, result: dict[str, Any], clock: Clock) -> RunOutcome:
    """Write down how the run ended, and gather what it left."""
    from mainspring.domain.finding import ValidationReport
    from mainspring.domain.verdict import Verdict

    state = RunState(result.get("stop", RunState.RELEASED))
    error = _error_of(result, state)
    detail = dict(context.run.detail)
    if error is not None:
        detail["error"] = error.to_dict()
    final = replace(
        context.run,
        state=state,
        stage=Stage(result.get("stage", Stage.ROLLOUT)),
        ended_at=clock.now(),
        detail=detail,
    )
    context.workspace.records.update_run(final)
    if final.tracking_id is not None:
        context.workspace.tracking.end_run(
            final.tracking_id,
            {RunState.CANCELLED: "KILLED", RunState.FAILED: "FAILED"}.get(state, "FINISHED"),
        )
    report = context.load("validation.json", ValidationReport) if _has(context, "validation.json") else None
    verdicts = context.load("verdicts.json", tuple[Verdict, ...]) if _has(context, "verdicts.json") else ()
    manifest = None
    if state is RunState.RELEASED and final.release is not None:
        catalogue = context.workspace.catalogue
        manifest = catalogue.manifest(catalogue.find(ReleaseRef(final.model, final.release)))
    return RunOutcome(final, error, report, verdicts, manifest)


def _error_of(result: dict[str, Any], state: RunState) -> errors.MainspringError | None:
    if state is RunState.RELEASED:
        return None
    if state is RunState.CANCELLED:
        return errors.TrainingError(
            "the run was stopped before a trial had ended; nothing was registered", cure="start it again"
        )
    stored = result["error"]
    kind = getattr(errors, stored["error"])
    return cast("errors.MainspringError", kind(stored["message"], cure=stored["cure"], where=stored["where"]))


def _has(context: RunContext, name: str) -> bool:
    return (context.folder / name).exists()


@contextmanager
def _kept(lease: Lease, stop: threading.Event) -> Iterator[None]:
    """Renew the lease while the run goes on; a lease that was lost stops the run."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(_LEASE_SECONDS / 3):
            try:
                lease.renew()
            except errors.StoreError:
                stop.set()
                return

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
