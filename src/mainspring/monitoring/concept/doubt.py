"""Whether a release is less sure than it might be: what comes of learning from a world that is still changing.

A model of the rows since a change, made while the change goes on, has learnt from two worlds at once: where these
contradict each other it says neither yes nor no. Once the new one alone is left it could be surer, but from its
first answer on it errs as it will always err, so that no detector finds a change. What tells is that it is right
more often than it claims.

Some models are so by their nature: the votes of a forest, say. So it must also be less sure than the release
before it was, on the rows that this one held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from mainspring.domain.retrain import OF_THE_CHANGED
from mainspring.domain.task import Task
from mainspring.errors import TamperedRelease
from mainspring.monitoring.concept.signals import signals
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import Floats, Labelled, labelled
from mainspring.release.reference_rows import read_reference_rows
from mainspring.stats.moments import Moments
from mainspring.stats.sequential import difference_sequence, mean_sequence

_FALSE_ALARMS = 1e-5  # of a release that has no needless doubt, however often it is looked at
_FROM = 500  # rows, for which the intervals are the narrowest
_LEAST = 0.1  # standard deviations of one row's doubt; less does not matter, as in `stats.change`
_MOST = 4_000  # rows, by which what matters has been seen; what comes later is no fault of the learning


def doubts(known: Labelled) -> Floats | None:
    """By how much each answer is less sure than it might be [n]; `None` of a regression, which claims nothing.

    The mean is 0 while the model is calibrated, and less where it is too sure. Of a binary model, with the truth y
    and the probability p, it is p(1 - p) - (y - p)²; of one of more classes 1 or 0 for right or wrong, less the
    answer's probability.
    """
    if known.output.task is Task.REGRESSION:
        return None
    values = signals(known, "residual")
    return -values[:, 1] if values.ndim == 2 else values


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known of it of one release.

    Attributes:
        since: the time of the first row that the release held out.
        before: of the release before it, on the rows that this one held out.
        now: of the release, on the rows that it held out and on what it answered since.
    """

    since: datetime
    before: Moments
    now: Moments

    @classmethod
    def at_birth(cls, look: Look, since: datetime, held_out: Labelled) -> Self | None:
        """Of a release that learnt from the rows since a change alone; `None` of others, which learnt more.

        So it is also where there is no release before it that could be compared with.
        """
        training = look.manifest.training
        window = None if training is None else training.window
        if window is None or window.window not in OF_THE_CHANGED:
            return None
        own, before = doubts(held_out), _of_the_one_before(look)
        if own is None or before is None:
            return None
        born = cls(since, Moments(), Moments())
        born.before.add(before)
        born.now.add(own)
        return born

    def add(self, known: Labelled) -> None:
        values = doubts(known)
        if values is not None:
            self.now.add(values)

    @property
    def is_needless(self) -> bool:
        if not self.now.mean > _LEAST * self.now.variance**0.5:
            return False
        least, _ = mean_sequence(self.now, alpha=_FALSE_ALARMS, tuned_to=_FROM, side="low")
        more, _ = difference_sequence(self.now, self.before, alpha=_FALSE_ALARMS, tuned_to=_FROM, side="low")
        return min(least, more) > 0

    @property
    def is_over(self) -> bool:
        """Whether so many rows were seen that nothing can come of more."""
        return self.now.count >= _MOST

    def to_dict(self) -> dict[str, Any]:
        return {"since": self.since.isoformat(), "before": self.before.to_dict(), "now": self.now.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        since = datetime.fromisoformat(data["since"])
        return cls(since, Moments.from_dict(data["before"]), Moments.from_dict(data["now"]))


def _of_the_one_before(look: Look) -> Floats | None:
    """The doubts of the release before it, on the rows that this one held out; `None` where there are none."""
    earlier = [number for number in look.context.manifests if number < look.manifest.number]
    if not earlier:
        return None
    manifest = look.context.manifests[max(earlier)]
    try:
        reference = read_reference_rows(look.context.folders[manifest.number], manifest)
    except TamperedRelease:  # that it is damaged is told where it is to answer
        return None
    return None if reference is None else doubts(labelled(reference, manifest))
