"""Monitors as a user declares them in `model.py`: what is measured, over which window, and what is bad."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from mainspring.domain.durations import parse_duration
from mainspring.domain.instants import in_utc
from mainspring.domain.measurement import Window
from mainspring.domain.task import metric_named
from mainspring.errors import DeclarationError


class MonitorKind(StrEnum):
    DRIFT = "drift"  # of the inputs
    PREDICTION = "prediction"  # of the answers and scores
    PERFORMANCE = "performance"  # by labels
    ESTIMATE = "estimate"  # of the performance, without labels
    CONCEPT = "concept"  # the relation of inputs to the truth, as labels arrive
    FAIRNESS = "fairness"  # between slices
    BUSINESS = "business"  # a function of the user's
    TECHNICAL = "technical"  # latency, errors, lag …


_OF_JOBS = (MonitorKind.DRIFT, MonitorKind.PREDICTION, MonitorKind.PERFORMANCE)


class AlertSeverity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


DRIFT_METHODS = (
    "auto",
    "psi",
    "ks",
    "jensen_shannon",
    "wasserstein",
    "chi_squared",
    "hellinger",
    "l_infinity",
    "classifier",  # all features at once
)
DETECTORS = ("residual", "adwin", "page_hinkley", "kswin", "ddm")
TECHNICAL = (
    "latency_p50",
    "latency_p99",
    "error_share",
    "refused_share",
    "saturation",
    "log_lag",
    "log_drops",
    "label_share",
    "label_delay",
    "feature_age",
    "feature_agreement",
)
OF_JOBS = " of jobs"
"""With this end of its name a monitor looks at score jobs instead of at the prediction log."""

_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_ -]{{0,62}}({OF_JOBS})?")
_ROWS = re.compile(r"([1-9]\d*)\s*rows?")
REFERENCES = ("release", "previous", "season")


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One thing that is watched. Made by the functions of its kind: `Monitor.drift()`, `Monitor.performance(…)`.

    Attributes:
        name: the kind and the subject where not given; unique in a model.
        subject: the metric, the function's name, the technical quantity; empty for drift of all features.
        at_least, at_most: what is still fine. Of a drift, `at_most` is the greatest effect that does not matter.
        margin: of a comparison with the release's own figure, how much worse is still fine.
        by: columns by whose values it is measured as well.
        window: the length of a window, as a duration or as a number of rows (`5000 rows`).
        every: how often it is measured; as long as the window, windows do not overlap.
        reference: `release` (the rows it was trained or judged on), `previous` (the window before this one),
            `season` (the same hours of the same weekday, of the four weeks before), or a past time as
            `2026-01-01/2026-01-08`.
        min_rows: with fewer rows there is not enough to say.
        min_label_share: a window with a smaller share of labels is not judged before its labels are due.
        for_: it must have been bad for so long before the alert fires.
        owner: who is told; free text.
        method: of a drift or of a detector.
    """

    kind: MonitorKind
    name: str
    subject: str = ""
    at_least: float | None = None
    at_most: float | None = None
    margin: float | None = None
    by: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    window: str = "1d"
    every: str = "1h"
    reference: str = "release"
    min_rows: int = 200
    min_label_share: float = 0.8
    severity: AlertSeverity = AlertSeverity.WARNING
    for_: str = "0s"
    owner: str = ""
    method: str = "auto"
    function: Callable[[Any], Any] | None = None

    @classmethod
    def drift(
        cls,
        features: Sequence[str] | None = None,
        *,
        method: str = "auto",
        at_most: float | None = None,
        **rule: Any,
    ) -> Self:
        """Whether the inputs are distributed as in the reference; `method="classifier"` looks at all at once.

        Args:
            features: all inputs where not given.
            at_most: the greatest effect that does not matter; the method's own default where not given.
            **rule: `name`, `by`, `window`, `every`, `reference`, `min_rows`, `severity`, `for_`, `owner`.
        """
        _one_of("method", method, DRIFT_METHODS)
        name = "drift_of_all" if method == "classifier" else "drift"
        chosen = None if features is None else tuple(features)
        return cls._made(MonitorKind.DRIFT, name, "", rule, features=chosen, method=method, at_most=at_most)

    @classmethod
    def prediction(cls, *, at_most: float | None = None, **rule: Any) -> Self:
        """Whether the answers, their scores and the share of unusual requests are as in the reference."""
        return cls._made(MonitorKind.PREDICTION, "prediction", "", rule, at_most=at_most)

    @classmethod
    def performance(
        cls,
        metric: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        margin: float | None = None,
        **rule: Any,
    ) -> Self:
        """A metric by the labels that came in.

        Args:
            at_least, at_most: the bar; else the release's own figure on the holdout is, less `margin`.
            margin: how much worse than the release's figure is still fine; 0 where nothing is given.
        """
        bars = cls._bars(f"Monitor.performance({metric!r})", metric, at_least, at_most, margin)
        return cls._made(MonitorKind.PERFORMANCE, f"performance_{metric}", metric, rule, **bars)

    @classmethod
    def calibration(cls, *, at_most: float = 0.05, **rule: Any) -> Self:
        """The expected calibration error by the labels that came in."""
        return cls.performance("calibration_error", at_most=at_most, **{"name": "calibration", **rule})

    @classmethod
    def estimate(
        cls,
        metric: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        margin: float | None = None,
        **rule: Any,
    ) -> Self:
        """A metric estimated before any label is there; it does not see a change of the concept alone."""
        bars = cls._bars(f"Monitor.estimate({metric!r})", metric, at_least, at_most, margin)
        return cls._made(MonitorKind.ESTIMATE, f"estimate_{metric}", metric, rule, **bars)

    @classmethod
    def concept(cls, detector: str = "residual", **rule: Any) -> Self:
        """Whether the truth still follows the inputs as it did, label by label in the order of the events.

        Args:
            detector: `residual` finds a change of the mean signed residual; `adwin`, `page_hinkley`, `kswin` and
                `ddm` are river's, on the error.
        """
        _one_of("detector", detector, DETECTORS)
        return cls._made(MonitorKind.CONCEPT, f"concept_{detector}", detector, rule, method=detector)

    @classmethod
    def fairness(cls, by: str, metric: str = "positive_rate", *, at_most: float = 0.1, **rule: Any) -> Self:
        """The greatest difference of a figure between the values of a protected column.

        Args:
            metric: `positive_rate` needs no labels; else a metric of the task.
        """
        if metric != "positive_rate":
            metric_named(metric)
        return cls._made(MonitorKind.FAIRNESS, f"fairness_{metric}", metric, {"by": by, **rule}, at_most=at_most)

    @classmethod
    def business(
        cls,
        function: Callable[[Any], Any],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        **rule: Any,
    ) -> Self:
        """A figure of the user's own, by release and by arm.

        Args:
            function: takes a Polars frame of predictions joined with what came true (see `connect().predictions`),
                and returns a number for each row (a series), of which the mean is shown, or one number.
        """
        if not callable(function):
            raise DeclarationError(
                f"Monitor.business({function!r}) is no function",
                cure="give a function of a data frame of predictions",
            )
        found = getattr(function, "__name__", "figure")
        return cls._made(
            MonitorKind.BUSINESS, found, found, rule, function=function, at_least=at_least, at_most=at_most
        )

    @classmethod
    def technical(
        cls, quantity: str, *, at_least: float | None = None, at_most: float | None = None, **rule: Any
    ) -> Self:
        """Latency (seconds), shares of errors, lag (seconds) … from the gateway's own metrics and from the log."""
        _one_of("quantity", quantity, TECHNICAL)
        return cls._made(MonitorKind.TECHNICAL, quantity, quantity, rule, at_least=at_least, at_most=at_most)

    @classmethod
    def _made(cls, kind: MonitorKind, name: str, subject: str, rule: dict[str, Any], **own: Any) -> Self:
        known = {"name", "by", "window", "every", "reference", "min_rows", "min_label_share", "severity", "for_"}
        known |= {"owner", "features"}
        for key in rule:
            if key not in known:
                raise DeclarationError(
                    f"Monitor.{kind}() has no {key!r}", cure=f"use one of: {', '.join(sorted(known))}"
                )
        by = rule.pop("by", ())
        given = {"name": name, **own, **rule}
        if "severity" in given:
            given["severity"] = _one_of("severity", given["severity"], tuple(AlertSeverity), AlertSeverity)
        return cls(kind=kind, subject=subject, by=(by,) if isinstance(by, str) else tuple(by), **given)

    @staticmethod
    def _bars(
        call: str, metric: str, at_least: float | None, at_most: float | None, margin: float | None
    ) -> dict[str, float | None]:
        greater = metric_named(metric).greater_is_better
        if (at_most if greater else at_least) is not None:
            right, wrong = ("at_least", "at_most") if greater else ("at_most", "at_least")
            raise DeclarationError(
                f"{call} has {wrong}, but of {metric} {'more' if greater else 'less'} is better",
                cure=f"use {right}",
            )
        bar = at_least if greater else at_most
        if bar is not None and margin is not None:
            raise DeclarationError(f"{call} has a bar and a margin", cure="give one of the two")
        return {
            "at_least": at_least,
            "at_most": at_most,
            "margin": 0.0 if bar is None and margin is None else margin,
        }

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(
                f"the monitor's name {self.name!r} is not valid",
                cure="use 1 to 63 letters, digits, blanks, _ and -, a letter first",
            )
        for number in (self.at_least, self.at_most, self.margin):
            if number is not None and not math.isfinite(number):
                raise DeclarationError(f"the bar of the monitor {self.name!r} is {number}", cure="give a number")
        if self.window_rows is None:
            positive_duration(self.window, f"the window of the monitor {self.name!r}")
        positive_duration(self.every, f"`every` of the monitor {self.name!r}")
        parse_duration(self.for_)
        if self.reference not in REFERENCES:
            named_window(self.reference)
        if self.min_rows < 1:
            raise DeclarationError(f"min_rows of the monitor {self.name!r} is under 1", cure="give 1 or more")
        if not 0 <= self.min_label_share <= 1:
            raise DeclarationError(
                f"min_label_share of the monitor {self.name!r} is {self.min_label_share}",
                cure="give a share between 0 and 1",
            )

    @property
    def of_jobs(self) -> Self | None:
        """The same monitor for the rows of score jobs; `None` of a kind that has no use for them.

        It looks once at each job (of a performance, once its labels are in), and what it finds is told at once: a
        job that went wrong does not come right by waiting.

        Examples:
            >>> Monitor.drift().of_jobs.name, Monitor.technical("log_drops", at_most=0).of_jobs
            ('drift of jobs', None)
        """
        if self.kind not in _OF_JOBS:
            return None
        return replace(self, name=f"{self.name}{OF_JOBS}", for_="0s")

    @property
    def window_rows(self) -> int | None:
        """How many rows a window has, where it is counted in rows."""
        found = _ROWS.fullmatch(self.window)
        return int(found[1]) if found else None

    @property
    def window_length(self) -> timedelta | None:
        """How long a window is, where it is a time."""
        return None if self.window_rows is not None else parse_duration(self.window)


def named_window(text: str) -> Window:
    """The time that a declaration names; without a zone UTC.

    Raises:
        DeclarationError: it is no time, or ends before it begins.

    Examples:
        >>> named_window("2026-01-01/2026-01-08").length.days
        7
    """
    try:
        start, end = (in_utc(datetime.fromisoformat(part)) for part in text.split("/"))
        if start < end:
            return Window(start, end)
    except ValueError:
        pass
    raise DeclarationError(
        f"the reference {text!r} is no past time",
        cure=f"use {', '.join(REFERENCES)}, or a start and an end, the earlier one first, such as "
        "2026-01-01/2026-01-08",
    )


def positive_duration(text: str, what: str) -> timedelta:
    """Raises `DeclarationError` where it is no duration, or none at all."""
    length = parse_duration(text)
    if length <= timedelta(0):
        raise DeclarationError(f"{what} is {text!r}", cure="give a time longer than nothing, e.g. 1d")
    return length


def _one_of(what: str, given: Any, known: Sequence[str], kind: Callable[[Any], Any] = str) -> Any:
    if given not in known:
        raise DeclarationError(
            f"the monitor's {what} {given!r} is not known", cure=f"use one of: {', '.join(known)}"
        )
    return kind(given)


DEFAULT_MONITORS: tuple[Monitor, ...] = (
    Monitor.drift(),
    Monitor.prediction(),
    Monitor.concept(),
    Monitor.technical("log_drops", at_most=0),
    Monitor.technical("error_share", at_most=0.01),
)
"""What is watched where a model declares nothing."""

FEATURE_AGREEMENT = Monitor.technical("feature_agreement", at_least=0.99, every="6h")
FEATURE_MONITORS: tuple[Monitor, ...] = (Monitor.technical("feature_age"), FEATURE_AGREEMENT)
"""What is watched besides where it takes features of views. The age's bar is each view's own `freshness`."""
