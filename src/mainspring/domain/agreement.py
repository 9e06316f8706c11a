"""Whether the features that were answered with are those that history knows."""

from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.feature_view import Value


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One feature of one answer that history gives otherwise.

    Attributes:
        prediction: the answer's id.
        at: when it was given.
        release: the number of the release that gave it.
        feature: `VIEW.FEATURE`.
        answered: what it was answered with.
        recomputed: what the view's rows give as of then.
    """

    prediction: str
    at: datetime
    release: int
    feature: str
    answered: Value | datetime
    recomputed: Value | datetime


@dataclass(frozen=True, slots=True)
class ViewAgreement:
    """Of a sample of answers, in how many all features of one view agree.

    Attributes:
        release: whose answers.
        rows: of the sample that could be recomputed.
        agreeing: of these, those of which every feature agrees.
        worst: of the others, those that are off most, the worst first.
        note: why there are none, or not all; in words.

    Examples:
        >>> ViewAgreement("creative", 7, rows=200, agreeing=199).share
        0.995
    """

    view: str
    release: int
    rows: int
    agreeing: int
    worst: tuple[Disagreement, ...] = ()
    note: str = ""

    @property
    def share(self) -> float | None:
        return self.agreeing / self.rows if self.rows else None
