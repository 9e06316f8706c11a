"""Seal the winner into a release folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.errors import ModelFileError
from mainspring.loop.lifecycle.context import RunContext
from mainspring.project import Project
from mainspring.settings import FILE_NAME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mainspring.domain.release import TrainingRecord
    from mainspring.release.card import CardFacts, Comparison
    from mainspring.training.dataset import TrainingData
    from mainspring.training.evaluation import Evaluation
    from mainspring.training.fitting import FittedInfo


def run(context: RunContext) -> str:
    """Take a number, compile, prove, sign; the folder appears whole or not at all."""
    from mainspring.data.columns import columns_of
    from mainspring.domain.finding import ValidationReport
    from mainspring.domain.verdict import Verdict
    from mainspring.release.sealing import SealOrder, seal
    from mainspring.release.signing import signing_key
    from mainspring.training.evaluation import Evaluation
    from mainspring.training.fitting import FittedInfo
    from mainspring.training.tuning import TuningResult

    workspace, resolved, data, schema = context.workspace, context.resolved, context.data, context.schema
    fitted = context.load("fitted.json", FittedInfo)
    evaluation = context.load("evaluation.json", Evaluation)
    tuning = context.load("tuning.json", TuningResult)
    report = context.load("validation.json", ValidationReport)
    number = workspace.records.reserve_number(context.model.name, context.run.id)
    estimator = _unpickled(Path(fitted.estimator))
    columns = [*resolved.asked, *resolved.computed, resolved.target]
    order = SealOrder(
        model=context.model.name,
        number=number,
        run_id=context.run.id,
        created_at=workspace.clock.now(),
        task=resolved.task,
        classes=data.classes,
        positive=None if data.positive is None else data.classes[data.positive],
        columns=tuple(schema[name] for name in resolved.columns),
        carried=tuple(schema[name] for name in resolved.carried),
        views=context.model_rows.view_inputs,
        functions=context.model_rows.function_inputs,
        target_column=schema[resolved.target],
        key=resolved.key,
        key_personal=schema[resolved.key].personal if resolved.key is not None else None,
        time=resolved.time,
        estimator=estimator,
        training_rows=columns_of(context.rows[_learnt_from(data, fitted)], columns),
        holdout_rows=columns_of(context.rows[data.row[data.holdout]], columns),
        training=_record(context, fitted, len(tuning.trials)),
        snapshots=context.snapshots,
        metrics=evaluation.metrics,
        naive=evaluation.naive,
        verdicts=context.load("verdicts.json", tuple[Verdict, ...]),
        code=_code(context),
        settings=_settings(context.project),
        facts=_facts(context, evaluation, estimator),
        parent=next(iter(context.load("parent.json", list[str])), None),
        warnings=(
            *(f"{f.column}: {f.message}" if f.column else f.message for f in report.warnings),
            *tuning.warnings,
        ),
    )
    manifest = seal(
        order,
        folder=workspace.settings.releases / context.model.name / str(number),
        key=signing_key(workspace.keys),
    )
    context.note(release=number)
    return f"{manifest.ref}, {manifest.runtime.kind}: {manifest.runtime.reason}"


def _code(context: RunContext) -> dict[str, bytes]:
    """The code that this run was made with, from the first trial to here.

    Raises:
        ModelFileError: it was edited meanwhile, so nobody could say which code the release is of.
    """
    from mainspring.release.sealing import code_digest

    project = context.project
    code = {str(place): (project.root / place).read_bytes() for place in project.source_files}
    if code_digest(code) != project.code_digest:
        raise ModelFileError(
            "the project's code was edited while the run went on",
            cure="start the run again; it takes the code as it is now",
            where={"file": ", ".join(code)},
        )
    return code


def _settings(project: Project) -> dict[str, bytes]:
    """What decides besides the code how rows are read: the schemas, and `mainspring.toml`."""
    views = {project.view_schema_path(view.base.name) for view in project.model.views}
    places = [project.root / FILE_NAME, project.schema_path, *sorted(views)]
    return {place.relative_to(project.root).as_posix(): place.read_bytes() for place in places}


def _unpickled(place: Path) -> Any:
    """The estimator that this very run has written into its own folder."""
    import pickle

    return pickle.loads(place.read_bytes())  # noqa: S301


def _record(context: RunContext, fitted: FittedInfo, trials: int) -> TrainingRecord:
    from mainspring.domain.release import TrainingRecord

    return TrainingRecord(
        candidate=fitted.candidate,
        params=fitted.params,
        frozen=fitted.frozen,
        seeds=fitted.seeds,
        threads=fitted.threads,
        split=context.data.split,
        trials=trials,
        machine=fitted.machine,
        rows_trained=fitted.rows,
        rows_holdout=int(context.data.holdout.sum()),
        holdout_digest=fitted.outputs_digest,
        trial=fitted.number,
        window=fitted.window,
        parameters_of=context.learning.keeps,
        views={name: one.to_dict() for name, one in context.model_rows.taken.items()},
    )


def _learnt_from(data: TrainingData, fitted: FittedInfo) -> NDArray[np.int64]:
    """The numbers of the rows that the winner was fitted on."""
    from mainspring.training.fitted_rows import fitted_rows

    learnt = data.row[~data.holdout]
    rows = fitted_rows(None if fitted.window is None else fitted.window.rule, data.training_when)
    return learnt if rows is None else learnt[rows.places]


def _facts(context: RunContext, evaluation: Evaluation, estimator: Any) -> CardFacts:
    from mainspring.data.estimator_outputs import outputs_of
    from mainspring.release.card import CardFacts
    from mainspring.training.importance import permutation_importance

    data, metric = context.data, context.resolved.metric
    return CardFacts(
        source=", ".join(context.model.source.locations),
        rows=context.rows.height,
        labelled=_labelled(context),
        naive_answer=evaluation.naive_answer,
        slices=evaluation.slices,
        importance=permutation_importance(
            lambda X: outputs_of(estimator, X, data.task, data.classes),
            data.holdout_features,
            data.holdout_target,
            metric=metric,
            task=data.task,
            positive=data.positive,
            seed=context.model.seed,
            clock=context.workspace.clock,
        ),
        primary_metric=metric,
        comparisons=tuple(_comparisons(context, evaluation)),
        views=_sources_of_views(context),
    )


def _sources_of_views(context: RunContext) -> dict[str, str]:
    """Where the rows of each view were from."""
    from mainspring.release.card_views import rows_from

    snapshots = context.workspace.snapshots
    taken = context.model_rows.taken
    return {name: rows_from(snapshots.find(one.snapshot).source, one.pushed) for name, one in taken.items()}


def _labelled(context: RunContext) -> int:
    from mainspring.data.labelled_rows import ANSWERED

    if ANSWERED not in context.rows.columns:
        return 0
    return context.rows.height - context.rows.get_column(ANSWERED).null_count()


def _comparisons(context: RunContext, evaluation: Evaluation) -> list[Comparison]:
    """With the champion, and with a plain linear model of the same features."""
    from mainspring.release.card import Comparison
    from mainspring.training.baseline import describe_baseline
    from mainspring.training.evaluation import Evaluation

    beside = context.load("baseline.json", Evaluation)
    pairs = [(describe_baseline(context.resolved.task), beside)]
    if evaluation.rows_compared:
        (parent,) = context.load("parent.json", list[str])
        pairs.insert(0, (f"the champion {parent}", evaluation))
    return [Comparison(name, e.champion, e.champion_gains, e.rows_compared) for name, e in pairs]
