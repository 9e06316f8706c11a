"""Checks that a candidate must pass before it gets a release."""

import math
from dataclasses import dataclass

from mainspring.domain.task import Metric, Task, metric_named
from mainspring.domain.verdict import Estimate, Evidence, Outcome, Verdict, overall
from mainspring.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Gate:
    """One bar for one metric, over all holdout rows or on each slice.

    The bar is judged with the confidence interval, not with the point estimate: the gate passes when the whole
    interval is on the right side of the bar, fails when the whole interval is on the wrong side, and is
    inconclusive in between. Inconclusive never promotes.

    Args:
        metric: its name, e.g. `roc_auc`, `log_loss`, `rmse`.
        at_least: the bar of a metric of which more is better.
        at_most: the bar of a metric of which less is better.
        better_than: `naive` (the predictor that knows only the target's distribution) or `champion`.
        no_worse_than: the same, allowing for `margin`; with no champion yet the gate passes.
        margin: in the metric's unit; how much better it must, or how much worse it may be.
        by: a column, or several, on each of whose values the bar must hold.
        min_rows: slices with fewer holdout rows are listed but not judged.

    Examples:
        >>> print(Gate("roc_auc", at_least=0.6, by="device"))
        roc_auc ≥ 0.6 by device
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    better_than: str | None = None
    no_worse_than: str | None = None
    margin: float = 0.0
    by: str | tuple[str, ...] | None = None
    min_rows: int = 100

    def __post_init__(self) -> None:
        metric = metric_named(self.metric)
        bars = [b for b in (self.at_least, self.at_most, self.better_than, self.no_worse_than) if b is not None]
        if len(bars) != 1:
            raise DeclarationError(
                f"Gate({self.metric!r}) needs exactly one bar and has {len(bars)}",
                cure="give one of at_least, at_most, better_than, no_worse_than",
            )
        if (self.at_least is not None) != metric.greater_is_better and (self.reference is None):
            right, wrong = ("at_least", "at_most") if metric.greater_is_better else ("at_most", "at_least")
            raise DeclarationError(
                f"Gate({self.metric!r}) has {wrong}, but of {self.metric} "
                f"{'more' if metric.greater_is_better else 'less'} is better",
                cure=f"use {right}",
            )
        if self.reference is not None and self.reference not in ("naive", "champion"):
            raise DeclarationError(
                f"Gate({self.metric!r}) compares with {self.reference!r}", cure='use "naive" or "champion"'
            )
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise DeclarationError(
                f"Gate({self.metric!r}) has the margin {self.margin}", cure="give a finite number, 0 or more"
            )
        if isinstance(self.by, list):
            object.__setattr__(self, "by", tuple(self.by))

    @property
    def reference(self) -> str | None:
        """The predictor it compares with, or `None` for a fixed bar."""
        return self.better_than or self.no_worse_than

    @property
    def slicing(self) -> tuple[str, ...]:
        """The columns whose values make the slices."""
        if self.by is None:
            return ()
        return (self.by,) if isinstance(self.by, str) else self.by

    def __str__(self) -> str:
        if self.at_least is not None:
            bar = f"≥ {self.at_least:g}"
        elif self.at_most is not None:
            bar = f"≤ {self.at_most:g}"
        elif self.better_than is not None:
            bar = f"better than {self.better_than}" + (f" by {self.margin:g}" if self.margin else "")
        else:
            bar = f"no worse than {self.no_worse_than}" + (f" by {self.margin:g}" if self.margin else "")
        return f"{self.metric} {bar}" + (f" by {' × '.join(self.slicing)}" if self.slicing else "")

    def judge(self, measured: "tuple[SliceEstimate, ...]", task: Task) -> Verdict:
        """Judge the gate.

        Args:
            measured: for a fixed bar the metric itself, for a comparison the *gain* over the reference (positive
                is better, from a paired test on the same rows), one per slice. An empty tuple means that
                nothing could be measured.
            task: the model's task.

        Raises:
            DeclarationError: the metric is not one of this task.
        """
        metric = metric_named(self.metric, task)
        evidence = tuple(self._judge_slice(metric, m) for m in measured)
        judged = [e for e in evidence if not (e.slice and e.estimate.rows < self.min_rows)]
        outcome = overall(e.outcome for e in judged)
        return Verdict(str(self), outcome, evidence, _reason(judged, outcome, len(evidence) - len(judged)))

    def _judge_slice(self, metric: Metric, measured: "SliceEstimate") -> Evidence:
        estimate = measured.estimate
        if self.reference is None:
            bar = self.at_least if self.at_least is not None else self.at_most
            sign = 1.0 if metric.greater_is_better else -1.0
        else:
            bar = self.margin if self.better_than else -self.margin
            sign = 1.0
        assert bar is not None
        numbers = (estimate.value, estimate.low, estimate.high)
        if any(number is None or not math.isfinite(number) for number in numbers):
            return Evidence(
                self.metric, measured.slice, estimate, bar, None, Outcome.INCONCLUSIVE, "could not be measured"
            )
        value, low, high = (float(number) for number in numbers if number is not None)
        worst, best = (low, high) if sign > 0 else (high, low)
        strict = self.better_than is not None
        if sign * (worst - bar) > 0 or (not strict and worst == bar):
            outcome = Outcome.PASS
        elif sign * (best - bar) < 0 or (strict and best == bar):
            outcome = Outcome.FAIL
        else:
            outcome = Outcome.INCONCLUSIVE
        return Evidence(self.metric, measured.slice, estimate, bar, sign * (bar - value), outcome, measured.note)


@dataclass(frozen=True, slots=True)
class SliceEstimate:
    """What was measured on one slice; `slice` is empty for all rows."""

    slice: dict[str, str]
    estimate: Estimate
    note: str = ""


def _reason(judged: list[Evidence], outcome: Outcome, too_small: int) -> str:
    if not judged:
        return "no slice has enough rows" if too_small else "there was nothing to measure"
    if outcome is Outcome.PASS:
        return "holds" + (f" ({too_small} slices too small to judge)" if too_small else "")
    worst = max(
        (e for e in judged if e.outcome is outcome),
        key=lambda e: math.inf if e.shortfall is None else e.shortfall,
    )
    place = ", ".join(f"{k}={v}" for k, v in worst.slice.items()) or "all rows"
    if worst.shortfall is None:
        return f"could not be measured on {place}"
    if outcome is Outcome.FAIL:
        return f"misses the bar by {worst.shortfall:.4g} on {place}"
    return f"the interval of {place} holds the bar ({worst.estimate.rows} rows are too few to tell)"
