"""The model as a user declares it in `model.py`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.durations import parse_duration
from mainspring.domain.feature_view import FeatureRef, FeatureView
from mainspring.domain.gate import Gate
from mainspring.domain.model_features import check_features
from mainspring.domain.monitor import DEFAULT_MONITORS, FEATURE_MONITORS, OF_JOBS, Monitor
from mainspring.domain.request_features import RequestFeatures
from mainspring.domain.retrain import Retrain
from mainspring.domain.rollout import Rollout
from mainspring.domain.source import Source
from mainspring.domain.task import PRIMARY_METRIC, Task, metric_named
from mainspring.errors import DeclarationError

CandidateFunction = Callable[[Any], Any]
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(slots=True)
class Model:
    """What the model is: its rows, its target, its features, its bars and its candidates.

    Nothing here names a server or a path of the workspace.

    Args:
        name: lower-case letters, digits, `_` and `-`.
        source: the rows to learn from.
        target: the column to predict.
        task: found out from the target where not given.
        positive: the class whose probability a binary model is judged by; the rarer one where not given.
        features: what to learn from: columns of the source, features of views (`creative["brightness"]`) and
            `RequestFeatures`; all columns that can be features where not given.
        exclude: columns left out where `features` is not given.
        gates: what a candidate must pass before it gets a release.
        rollout: how a release becomes champion; without it a passing release does so at once.
        metric: what the tuner improves; `roc_auc`, `log_loss` or `rmse` by task where not given.
        holdout: the share of the rows that no training ever sees.
        label_delay: how long after a row its label is known.
        monitors: what is watched in production; inputs, answers, residuals, dropped records and errors where not
            given.
        retrain: when it is trained anew; only by hand where not given.
        seed: from which every random number of a run is drawn.
        slices: columns (or tuples of them) by whose values the evaluation is shown.
        trial_time: a trial that takes longer is ended.
        trial_memory: a trial whose process takes more is ended, e.g. `4GB`.
    """

    name: str
    source: Source
    target: str
    task: Task | str | None = None
    positive: str | None = None
    features: Sequence[str | FeatureRef | RequestFeatures] | None = None
    exclude: Sequence[str] = ()
    gates: Sequence[Gate] = ()
    rollout: Rollout | None = None
    monitors: Sequence[Monitor] | None = None
    retrain: Retrain | None = None
    metric: str | None = None
    holdout: float = 0.2
    label_delay: str | None = None
    seed: int = 0
    slices: Sequence[str | tuple[str, ...]] = ()
    trial_time: str = "5m"
    trial_memory: str = "4GB"
    candidates: dict[str, CandidateFunction] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(
                f"Model({self.name!r}) is no valid name",
                cure="use 1 to 63 lower-case letters, digits, _ and -, a letter first",
            )
        if self.task is not None:
            if self.task not in list(Task):
                raise DeclarationError(
                    f"Model(task={self.task!r}) is not known", cure=f"use one of: {', '.join(Task)}"
                )
            self.task = Task(self.task)
        if self.metric is not None:
            metric_named(self.metric, self.task if isinstance(self.task, Task) else None)
        if not 0 < self.holdout < 1:
            raise DeclarationError(
                f"Model(holdout={self.holdout}) is no share", cure="give a number between 0 and 1, e.g. 0.2"
            )
        check_features(self.features or (), target=self.target, time=self.source.time)
        self._check_monitors()
        for duration in (self.label_delay, self.trial_time):
            if duration is not None:
                parse_duration(duration)
        parse_memory(self.trial_memory)

    @property
    def plain_features(self) -> tuple[str, ...] | None:
        """The columns of the source to learn from; `None` where it is for the data to say."""
        if self.features is None:
            return None
        return tuple(entry for entry in self.features if isinstance(entry, str))

    @property
    def view_features(self) -> tuple[FeatureRef, ...]:
        """The features of views to learn from."""
        return tuple(entry for entry in self.features or () if isinstance(entry, FeatureRef))

    @property
    def views(self) -> tuple[FeatureView, ...]:
        """The views that these are of, each once."""
        return tuple({ref.view.name: ref.view for ref in self.view_features}.values())

    @property
    def request_features(self) -> tuple[RequestFeatures, ...]:
        """What functions make of a request's rows."""
        return tuple(entry for entry in self.features or () if isinstance(entry, RequestFeatures))

    @property
    def watched(self) -> tuple[Monitor, ...]:
        """The monitors that are declared, or those that every model has."""
        if self.monitors is not None:
            return tuple(self.monitors)
        return (*DEFAULT_MONITORS, *FEATURE_MONITORS) if self.views else DEFAULT_MONITORS

    @property
    def everything_watched(self) -> tuple[Monitor, ...]:
        """These, and those that look at score jobs in their stead."""
        of_jobs = (monitor.of_jobs for monitor in self.watched)
        return (*self.watched, *(monitor for monitor in of_jobs if monitor is not None))

    def _check_monitors(self) -> None:
        names = [monitor.name for monitor in self.watched]
        for name in names:
            if name.endswith(OF_JOBS):
                raise DeclarationError(
                    f"the name of the monitor {name!r} ends as only those of score jobs do", cure="give it another"
                )
            if names.count(name) > 1:
                raise DeclarationError(
                    f"there are two monitors {name!r}", cure="give each a name of its own: name=…"
                )

    def candidate(self, function: CandidateFunction) -> CandidateFunction:
        """Register a function of a trial that returns an unfitted estimator; used as a decorator.

        Raises:
            DeclarationError: there is one of that name already.
        """
        name = function.__name__
        if name in self.candidates:
            raise DeclarationError(f"there are two candidates {name!r}", cure="give each a name of its own")
        self.candidates[name] = function
        return function

    def primary_metric(self, task: Task) -> str:
        """The metric that the tuner improves."""
        return self.metric or PRIMARY_METRIC[task]


_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB)")


def parse_memory(text: str) -> int:
    """Bytes from `512MB` or `4GB` (powers of 1,000).

    Examples:
        >>> parse_memory("1.5GB")
        1500000000
    """
    found = _MEMORY.fullmatch(text)
    if not found:
        raise DeclarationError(f"{text!r} is no amount of memory", cure="write e.g. 512MB or 4GB")
    return int(float(found[1]) * {"MB": 10**6, "GB": 10**9}[found[2]])
