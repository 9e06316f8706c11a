"""What a run learns from, decided once when its rows are taken: a run that goes on later goes on with the same."""

from dataclasses import dataclass
from typing import Any

from mainspring.domain.finding import Finding
from mainspring.training.windows import WindowPlan

LEARNING = "learning.json"


@dataclass(frozen=True, slots=True)
class Learning:
    """The decisions.

    Attributes:
        split: the rule that holds rows out; the model's own where not given.
        windows: of the training rows, to be tried; all rows where not given.
        keeps: the release whose parameters are taken in place of a search, e.g. `adclick@6`.
        positive: the champion's positive class, where the model declares none: which class is rarer may change,
            and what a probability is of must not.
        findings: what production has told that cannot be learnt from.
    """

    split: dict[str, Any] | None = None
    windows: WindowPlan | None = None
    keeps: str | None = None
    positive: str | None = None
    findings: tuple[Finding, ...] = ()
