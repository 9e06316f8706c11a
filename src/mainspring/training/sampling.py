"""Which parameters a trial tries: Optuna's TPE over the candidate's earlier trials.

The sampler is made anew for each trial from its seed and the earlier trials on record. So it has no state that a
killed run could lose, and the same history gives the same suggestion.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.training.trial import SearchTrial

_RANDOM_FIRST = 6  # as many trials of a candidate before TPE has something to go by


@dataclass(frozen=True, slots=True)
class PastTrial:
    """An earlier trial of the same candidate: what it tried and how well it did."""

    params: dict[str, Any]
    distributions: dict[str, str]
    score: float


def search_trial(
    number: int,
    history: Sequence[PastTrial],
    *,
    greater_is_better: bool,
    seed: int,
    first: bool = False,
    suggested: Callable[[SearchTrial], None] | None = None,
) -> SearchTrial:
    """The trial that asks TPE; at random while there is little to go by.

    Args:
        history: of the same candidate.
        first: whether it is the candidate's first trial, which gets the middle of every range.
        suggested: told the trial after each suggestion.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = (
            _middle_sampler()
            if first
            else optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_FIRST, multivariate=True)
        )
        study = optuna.create_study(direction="maximize" if greater_is_better else "minimize", sampler=sampler)
        for past in history:
            study.add_trial(
                optuna.trial.create_trial(
                    params=past.params,
                    distributions={
                        name: optuna.distributions.json_to_distribution(text)
                        for name, text in past.distributions.items()
                    },
                    value=past.score,
                )
            )
        return SearchTrial(study.ask(), number, suggested or _tell_nobody)


def encode_distributions(distributions: dict[str, Any]) -> dict[str, str]:
    """The ranges as text, for the record."""
    from optuna.distributions import distribution_to_json

    return {name: distribution_to_json(found) for name, found in distributions.items()}


def _tell_nobody(trial: SearchTrial) -> None:
    """Where nobody asks what was suggested."""


def _middle_sampler() -> Any:
    import optuna

    class MiddleSampler(optuna.samplers.BaseSampler):  # type: ignore[misc]
        """The middle of every range, and the first of every choice: what a person would try first."""

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:  # noqa: ARG002
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:  # noqa: ARG002
            return {}

        def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:  # noqa: ARG002
            return middle(distribution)

    return MiddleSampler()


def middle(distribution: Any) -> Any:
    """The middle of a range on its own scale; the first of several choices.

    Examples:
        >>> from optuna.distributions import FloatDistribution, IntDistribution
        >>> round(middle(FloatDistribution(0.01, 1.0, log=True)), 6), middle(IntDistribution(1, 9))
        (0.1, 5)
    """
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return choices[0]
    low, high = distribution.low, distribution.high
    centre = math.exp((math.log(low) + math.log(high)) / 2) if distribution.log else (low + high) / 2
    if distribution.step is not None:
        centre = low + round((centre - low) / distribution.step) * distribution.step
    centre = min(max(centre, low), high)
    return int(centre) if isinstance(low, int) else centre
