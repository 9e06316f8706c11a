"""Search for the best candidate and parameters, and fit the winner on all rows that may be learnt from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.release import ReleaseRef
from mainspring.errors import TrainingStopped
from mainspring.loop.lifecycle.context import RunContext, RunStopped

if TYPE_CHECKING:
    from mainspring.domain.release import TrainingRecord
    from mainspring.training.fitting import FittedInfo
    from mainspring.training.trial_record import TrialRecord
    from mainspring.training.tuning_job import TuningResult


def run(context: RunContext) -> str:
    """Keep the trials, the winner and its estimator in the run's folder.

    Raises:
        RunStopped: stopped by hand before the first trial had ended.
    """
    from mainspring.training.fitting import fit_winner
    from mainspring.training.tuning import TuningJob, tune

    tracker = _Tracker(context)
    job = TuningJob(
        folder=context.training_folder,
        model_file=context.project.root / "model.py",
        model=context.model,
        data=context.data,
        budget=context.budget,
        cores=len(os.sched_getaffinity(0)),
        windows=context.learning.windows,
        keeps=_kept(context),
    )
    try:
        result = tune(
            job,
            on_trial=tracker.ended,
            trial_environment=tracker.environment,
            stop=context.stop,
            clock=context.workspace.clock,
        )
    except TrainingStopped as stopped:
        raise RunStopped from stopped
    fitted = fit_winner(job, result)
    context.save("tuning.json", result)
    context.save("fitted.json", fitted)
    _note(context, fitted)
    return _summary(context, result) + ("" if fitted.window is None else _window(fitted))


def _kept(context: RunContext) -> TrainingRecord | None:
    """How the release was trained whose parameters are kept."""
    if context.learning.keeps is None:
        return None
    catalogue = context.workspace.catalogue
    return catalogue.manifest(catalogue.find(ReleaseRef.parse(context.learning.keeps))).training


def _note(context: RunContext, fitted: FittedInfo) -> None:
    """In the run's record: what it learnt from and why, for people."""
    told: dict[str, Any] = {}
    if context.learning.keeps is not None:
        told["parameters_of"] = context.learning.keeps
    if fitted.window is not None:
        told["window"] = msgspec.json.decode(msgspec.json.encode(fitted.window))
    if told:
        context.note(detail={**context.run.detail, **told})


def _window(fitted: FittedInfo) -> str:
    assert fitted.window is not None
    return f"; learnt from {fitted.window.window} ({fitted.rows:,} rows): {fitted.window.reason}"


def _summary(context: RunContext, result: TuningResult) -> str:
    winner = result.winner
    if context.learning.keeps is not None:
        return f"{winner.candidate} with the parameters of {context.learning.keeps}"
    count = f"{len(result.trials):,} trial{'' if len(result.trials) == 1 else 's'}"
    interrupted = "interrupted: " if result.ended_because == "stopped" else ""
    best = f"best {winner.candidate} with {result.metric} {winner.score:,.6g}"
    return f"{interrupted}{count}, {best} in cross-validation"


class _Tracker:
    """Tells the tracking store and the listener of each trial."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._tracking = context.workspace.tracking
        run, model = context.run, context.model
        if run.tracking_id is None:
            context.note(tracking_id=self._tracking.begin_run(model.name, run.id, context.made_from_tags))
        assert context.run.tracking_id is not None
        self._parent = context.run.tracking_id

    def environment(self, number: int) -> Mapping[str, str]:
        """So that `mlflow.log_metric(…)` in a candidate lands in its trial's run."""
        return self._tracking.trial_environment(self._parent, number)

    def _share(self, trial: TrialRecord) -> float:
        budget = self._context.budget
        used = trial.spent / budget.seconds if budget.seconds else (trial.number + 1) / (budget.trials or 1)
        return min(used, 1.0)

    def ended(self, trial: TrialRecord, best: TrialRecord | None) -> None:
        self._context.progress.trial_ended(
            trial.number,
            trial.candidate,
            trial.score,
            best.score if best else None,
            self._share(trial),
            str(trial.state),
            str(trial.error["message"]) if trial.error is not None else "",
        )
        self._tracking.log_trial(
            self._parent,
            trial.number,
            params={"candidate": trial.candidate, **trial.params},
            metrics=trial.metrics,
            tags={**self._context.made_from_tags, "mainspring.state": trial.state},
            status=_status(trial),
            started_at=trial.started_at,
            ended_at=trial.ended_at,
        )


def _status(trial: TrialRecord) -> str:
    if trial.error is not None:
        return "FAILED"
    return "KILLED" if trial.state == "stopped" else "FINISHED"
