"""One trial, in the process forked for it: ask the candidate, fit and score it fold by fold."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from mainspring.data.estimator_outputs import outputs_of
from mainspring.domain.task import METRICS
from mainspring.errors import CandidateError
from mainspring.training.dataset_files import TrainingPart
from mainspring.training.folds import Fold
from mainspring.training.frozen import fitted_decisions
from mainspring.training.metrics import measure_all
from mainspring.training.sampling import PastTrial, encode_distributions, search_trial
from mainspring.training.seeding import seed_everything
from mainspring.training.settling import settle
from mainspring.training.trial import SearchTrial, Trial

Candidate = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """What a trial is to do.

    Attributes:
        seed: from which all random numbers of the trial come.
        metric: the one to improve.
        first: whether it is the candidate's first trial.
        history: the candidate's earlier trials, for the sampler.
        best_folds: of the best trial so far the score of each fold, to end a hopeless trial by.
    """

    number: int
    candidate: str
    seed: int
    threads: int
    metric: str
    first: bool
    history: tuple[PastTrial, ...] = ()
    best_folds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What a trial found; see `trial_record.TrialRecord`."""

    params: dict[str, Any]
    distributions: dict[str, str]
    fold_scores: tuple[float, ...]
    metrics: dict[str, float]
    settled: dict[str, Any]
    frozen: dict[str, Any]
    seeds: dict[str, int]
    fit_seconds: float
    pruned: bool = False
    repeated: bool = False  # the same parameters were tried before: nothing was fitted


def score_trial(
    order: TrialOrder,
    candidate: Candidate,
    part: TrainingPart,
    folds: Sequence[Fold],
    *,
    suggested: Callable[[SearchTrial], None],
) -> TrialOutcome:
    """Score what the candidate returns.

    Args:
        suggested: told the trial after each suggestion, so that its parameters are known if it dies.

    Raises:
        CandidateError: it returned no estimator, or one whose answers cannot be scored.
        Exception: whatever the user's code raises.
    """
    metric = METRICS[order.metric]
    seeds = seed_everything(order.seed)
    trial = search_trial(
        order.number,
        order.history,
        greater_is_better=metric.greater_is_better,
        seed=order.seed,
        first=order.first,
        suggested=suggested,
    )
    estimator = estimator_from(candidate, trial, order.candidate)
    params, distributions = trial.params, encode_distributions(trial.distributions)
    settled = settle(estimator, seed=order.seed, threads=order.threads)
    if params and any(past.params == params for past in order.history):
        return TrialOutcome(params, distributions, (), {}, _plain(settled), {}, seeds, 0.0, repeated=True)
    scores: list[float] = []
    each: list[dict[str, float]] = []
    seconds: list[float] = []
    pruned = False
    decided: dict[str, Any] = {}
    for fit_on, score_on in folds:
        fitted = copy.deepcopy(estimator)
        seed_everything(order.seed)
        started = time.perf_counter()
        fitted.fit(part.X.iloc[fit_on], part.y[fit_on])
        seconds.append(time.perf_counter() - started)
        outputs = outputs_of(fitted, part.X.iloc[score_on], part.task, part.classes)
        each.append(measure_all(outputs, part.y[score_on], task=part.task, positive=part.positive))
        scores.append(_finite(each[-1][order.metric], order))
        decided = fitted_decisions(fitted)
        if len(scores) < len(folds) and _hopeless(scores, order.best_folds, sign=metric.gain(1.0, 0.0)):
            pruned = True
            break
    return TrialOutcome(
        params=params,
        distributions=distributions,
        fold_scores=tuple(scores),
        metrics=_means(each),
        settled=_plain(settled),
        frozen=decided,
        seeds=seeds,
        fit_seconds=float(np.mean(seconds)),
        pruned=pruned,
    )


def estimator_from(candidate: Candidate, trial: SearchTrial | Trial, name: str) -> Any:
    """Ask the candidate for its estimator.

    Raises:
        CandidateError: what it returned has no `fit` or no `predict`.
    """
    estimator = candidate(trial)
    if estimator is None:
        raise CandidateError(
            f"the candidate {name!r} returned nothing",
            cure="let it return an estimator with fit and predict",
            where={"candidate": name},
        )
    for method in ("fit", "predict"):
        if isinstance(estimator, type) or not callable(getattr(estimator, method, None)):
            kind = f"the class {estimator.__name__}" if isinstance(estimator, type) else type(estimator).__name__
            raise CandidateError(
                f"the candidate {name!r} returned {kind}, which has no {method} to call",
                cure="let it return an estimator with fit and predict",
                where={"candidate": name},
            )
    return estimator


def _finite(score: float, order: TrialOrder) -> float:
    if not math.isfinite(score):
        raise CandidateError(
            f"the {order.metric} of the candidate {order.candidate!r} is {score}, not a number",
            cure="look for NaN or infinity among its answers",
            where={"candidate": order.candidate},
        )
    return score


def _means(each: Sequence[dict[str, float]]) -> dict[str, float]:
    """Over the folds; a metric that is undefined on one of them is left out."""
    means = {name: float(np.mean([found[name] for found in each])) for name in each[0]}
    return {name: value for name, value in means.items() if math.isfinite(value)}


def _hopeless(scores: Sequence[float], best: Sequence[float], *, sign: float) -> bool:
    """Whether the trial is so far behind the best on the same folds that the folds' own spread cannot mend it."""
    if len(best) <= len(scores):
        return False
    gap = float(np.mean([sign * (b - s) for s, b in zip(scores, best, strict=False)]))
    return gap > max(float(np.std(best, ddof=1)), 1e-12)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.to_builtins(values)
    return decoded
