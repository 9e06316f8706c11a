"""The lifecycle of a model: one run from the source to a release or a refusal."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from mainspring import errors
from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.budget import Budget
from mainspring.domain.ids import uuid7
from mainspring.domain.ports import Lease
from mainspring.domain.release import ReleaseRef
from mainspring.domain.run import Run, RunState, Stage
from mainspring.domain.trigger import Trigger
from mainspring.loop.durable.engine import Engine, engine
from mainspring.loop.lifecycle.context import RunContext, RunStopped, end_run
from mainspring.loop.lifecycle.progress import Progress, Silent
from mainspring.loop.lifecycle.stages import evaluate, gates, register, rollout, seal, snapshot, train, validate
from mainspring.project import Project
from mainspring.stores.lease_keeping import SECONDS, kept
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.finding import ValidationReport
    from mainspring.domain.release import Manifest
    from mainspring.domain.verdict import Verdict

_LOG = logging.getLogger("mainspring.run")
_PAUSES = (1.0, 4.0, 16.0)  # seconds before a stage is tried again
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
    project: Project,
    *,
    budget: Budget,
    progress: Progress | None = None,
    clock: Clock = SYSTEM_CLOCK,
    trigger: Trigger | None = None,
    actor: str | None = None,
) -> RunOutcome:
    """Take the project's model through its lifecycle; go on with a run that was killed.

    Ctrl-C ends the search with the best so far (or, before the first trial has ended, the run with nothing);
    a second one leaves at once, and the next call goes on from there.

    Args:
        trigger: why it starts, where it was no person who asked for it.
        actor: the person who asked for it, for the history.

    Raises:
        WorkspaceBusy: another run of this model is under way.
        ProjectError: the project does not load.
    """
    progress = progress or Silent()
    with Workspace(project.settings, clock) as workspace:
        holder = f"run by process {os.getpid()}"
        records = workspace.records
        with (
            records.lease(run_lease(project.model.name), holder, ttl=SECONDS) as lease,
            records.fenced(lease),
        ):
            begun, resumed = _begin(project, workspace, budget, clock, trigger, actor)
            progress.started(begun.id, begun.stage if resumed else None)
            context = RunContext(project, workspace, begun, budget, progress)
            with (
                kept(lease, context.stop.set),
                engine(
                    project.settings.workflows_url,
                    executor=begun.id,
                    run_stage=lambda _, stage: _run_stage(context, Stage(stage), lease, clock),
                ) as started,
            ):
                return _finish(context, _wait(started, context), clock)


def run_lease(model: str) -> str:
    """The name of the lease of whoever trains the model.

    Examples:
        >>> run_lease("adclick")
        'run/adclick'
    """
    return f"run/{model}"


def _begin(
    project: Project,
    workspace: Workspace,
    budget: Budget,
    clock: Clock,
    trigger: Trigger | None,
    actor: str | None,
) -> tuple[Run, bool]:
    """The run that was killed, if the code and the budget are still the same, else a new one."""
    made_from = {"code": project.code_digest, "budget": budget.to_dict()}
    asked = {} if trigger is None else {"trigger": msgspec.to_builtins(trigger)}
    for run in workspace.records.runs(project.model.name):
        if run.state is not RunState.RUNNING:
            continue
        if run.detail.get("made_from") == made_from:
            if trigger is not None and run.detail.get("trigger") != asked["trigger"]:
                run = replace(run, detail={**run.detail, **asked})  # a person's, which the trigger finishes
                workspace.records.update_run(run)
            return run, True
        # Holding the lease we know that nobody works on it; what it was made from has changed since.
        superseded = {"reason": "superseded"}
        end_run(workspace, replace(run, state=RunState.CANCELLED, ended_at=clock.now(), detail=superseded))
    fresh = Run(
        id=uuid7(clock),
        model=project.model.name,
        state=RunState.RUNNING,
        stage=Stage.SNAPSHOT,
        budget=budget.to_dict(),
        started_at=clock.now(),
        detail={"made_from": made_from, **asked, **({"actor": actor} if actor else {})},
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
            end_run(
                context.workspace,
                replace(
                    context.run,
                    state=RunState.FAILED,
                    ended_at=context.workspace.clock.now(),
                    detail={**context.run.detail, "error": told.to_dict()},
                ),
            )
            raise


def _run_stage(context: RunContext, stage: Stage, lease: Lease, clock: Clock) -> dict[str, Any]:
    """One stage: its result, or why the run ends here. A store that gave up is tried again after a pause."""
    context.progress.stage_started(stage)
    began = clock.monotonic()
    pauses = iter(_PAUSES)
    while True:
        try:
            lease.renew()
            context.note(stage=stage)
            summary = _STAGES[stage](context)
        except errors.MainspringError as error:
            pause = next(pauses, None) if type(error) is errors.StoreError else None
            if pause is None:
                state = RunState.REFUSED if isinstance(error, errors.Refused) else RunState.FAILED
                return {"stop": state, "error": error.to_dict(), "stage": stage}
            _LOG.warning("the stage %s is tried again in %g s: %s", stage, pause, error.message)
            context.stop.wait(pause)
        except RunStopped:
            return {"stop": RunState.CANCELLED, "stage": stage}
        else:
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
    end_run(context.workspace, final)
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
