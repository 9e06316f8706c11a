"""Measure the winner on the holdout: with intervals, by slice, against the naive predictor and the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mainspring.loop.lifecycle.context import RunContext

if TYPE_CHECKING:
    from mainspring.training.evaluation import Evaluation
    from mainspring.training.fitting import FittedInfo


def run(context: RunContext) -> str:
    """Write the evaluation."""
    from mainspring.loop.releases.answers import champion_answers
    from mainspring.training.evaluation import evaluate
    from mainspring.training.fitting import FittedInfo

    fitted = context.load("fitted.json", FittedInfo)
    champion = champion_answers(
        context.workspace, context.model.name, context.rows, context.data, context.model_rows
    )
    evaluation = evaluate(
        np.load(fitted.outputs, allow_pickle=False),
        context.data,
        context.model,
        champion_outputs=None if champion is None else champion.outputs,
        unseen_by_champion=None if champion is None else champion.unseen,
        champion_note="" if champion is None else champion.note,
    )
    context.save("baseline.json", _beside_baseline(context, fitted.outputs))
    context.save("evaluation.json", evaluation)
    context.save("parent.json", [] if champion is None else [str(champion.ref)])
    _track(context, evaluation, fitted)
    return _summary(evaluation, context.resolved.metric)


def _track(context: RunContext, evaluation: Evaluation, fitted: FittedInfo) -> None:
    assert context.run.tracking_id is not None, "the train stage comes first"
    metrics = {f"holdout_{name}": one.value for name, one in evaluation.metrics.items() if one.value is not None}
    context.workspace.tracking.log_run(
        context.run.tracking_id,
        params={"candidate": fitted.candidate, **fitted.params},
        metrics=metrics,
        tags=context.made_from_tags,
    )


def _beside_baseline(context: RunContext, outputs: str) -> Evaluation:
    """The winner against a plain linear model of the same features, on the same rows; no gate looks at it."""
    from dataclasses import replace

    from mainspring.training.baseline import baseline_outputs
    from mainspring.training.evaluation import evaluate

    data = context.data
    return evaluate(
        np.load(outputs, allow_pickle=False),
        data,
        replace(context.model, gates=(), slices=()),
        champion_outputs=baseline_outputs(data, seed=context.model.seed),
    )


def _summary(evaluation: Evaluation, metric: str) -> str:
    measured = evaluation.metrics[metric]
    if measured.value is None:
        return f"{metric} could not be measured on {evaluation.rows:,} rows"
    interval = f" ({measured.low:,.6g} to {measured.high:,.6g})" if measured.low is not None else ""
    return f"{metric} {measured.value:,.6g}{interval} on {evaluation.rows:,} held-out rows"
