"""A challenger's way up, as declared in `model.py`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError

CLASS_METRICS, NUMBER_METRICS = ("log_loss", "brier", "error"), ("squared_error", "absolute_error")
ROW_METRICS = (*CLASS_METRICS, *NUMBER_METRICS)
"""What can be compared row by row between two releases that answered the same request; less is better."""
RANK_METRICS = ("roc_auc",)
"""What can be compared in windows of such rows, of two classes; more is better."""
SHADOW_METRICS = (*ROW_METRICS, *RANK_METRICS)
"""What needs nobody to have acted on an answer."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Steps of traffic for the challenger.

    Args:
        steps: percentages of the traffic, rising, each over 0 and under 100.
        each: how long a step lasts at least.
    """

    steps: Sequence[float] = (5, 25, 50)
    each: str = "30m"

    def __post_init__(self) -> None:
        parse_duration(self.each)
        object.__setattr__(self, "steps", tuple(self.steps))
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not rising or self.steps[0] <= 0 or self.steps[-1] >= 100:
            raise DeclarationError(
                f"Canary({list(self.steps)}) is no rising series of percentages",
                cure="write e.g. Canary([5, 25, 50])",
            )


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a release that passed its gates becomes champion: replay → shadow → canary steps → champion → bake.

    A model without a `Rollout` promotes a passing release at once; one that a trigger had trained, and that no
    gate compares with the champion, only if it is not clearly worse on the held-out rows. One with it leaves the
    release as challenger, which the controller (`mainspring up`) takes from step to step.

    Args:
        shadow: how long the challenger answers beside the champion without being heard.
        canary: the steps that follow, or `None` to go from shadow to champion.
        min_requests: requests that each step must have seen.
        promote: `better` (the default) or `not_worse`.
        metric: by what the challenger is proved against the champion: row by row `log_loss`, `brier`, `error`,
            `squared_error` or `absolute_error`; `roc_auc` of two classes, which needs more rows; or the name of
            a business outcome (more of it is better), by which it can be proved in a canary only. `brier` or
            `squared_error` by task where not given.
        margin: how much worse, in the metric's unit, still counts as not worse.
        replay: how many days of logged requests, at most, the challenger answers again before any live traffic;
            `None` for no replay.
        deadline: without a verdict after this time the challenger is rolled back.
        bake: after the promotion the old champion returns if the new one is worse within this time. By an outcome
            that cannot be said, since the old champion is not heard any more: then only failures, answers that are
            no numbers and latency take the new one back.
        latency: the challenger's median latency may be as many times the champion's.
        disagreement: in so great a share of the rows that both answered the challenger may say otherwise than the
            champion (another class, another number); any where not given.
        alpha: the chance of a wrong verdict over the whole rollout, however often it is looked at.
    """

    shadow: str = "1h"
    canary: Canary | None = Canary()
    min_requests: int = 500
    promote: str = "better"
    metric: str | None = None
    margin: float = 0.0
    replay: str | None = "7d"
    deadline: str = "7d"
    bake: str = "1h"
    latency: float = 3.0
    disagreement: float | None = None
    alpha: float = 0.05

    def __post_init__(self) -> None:
        for duration in (self.shadow, self.deadline, self.bake, *((self.replay,) if self.replay else ())):
            parse_duration(duration)
        if self.promote not in ("better", "not_worse"):
            raise DeclarationError(
                f"Rollout(promote={self.promote!r}) is not known", cure='use "better" or "not_worse"'
            )
        if self.metric is not None and self.metric not in SHADOW_METRICS and self.canary is None:
            raise DeclarationError(
                f"Rollout(metric={self.metric!r}) is an outcome, which only a canary can show",
                cure=f"give it a canary, or use one of: {', '.join(SHADOW_METRICS)}",
            )
        if self.min_requests < 1:
            raise DeclarationError("Rollout(min_requests) is under 1", cure="give 1 or more")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise DeclarationError(f"Rollout(margin={self.margin}) is under 0", cure="give 0 or more")
        if not (math.isfinite(self.latency) and self.latency >= 1):
            raise DeclarationError(f"Rollout(latency={self.latency}) is under 1", cure="give 1 or more, e.g. 3")
        if self.disagreement is not None and not 0 < self.disagreement < 1:
            raise DeclarationError(
                f"Rollout(disagreement={self.disagreement}) is no share of the answers", cure="give e.g. 0.2"
            )
        if not 0 < self.alpha < 0.5:
            raise DeclarationError(f"Rollout(alpha={self.alpha}) is no chance of error", cure="give e.g. 0.05")
