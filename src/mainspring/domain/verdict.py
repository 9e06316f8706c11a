"""What a gate concluded, and the evidence it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"  # never promotes


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its confidence interval; `None` where it could not be measured."""

    value: float | None
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison: on which rows, what was measured, against which bar.

    Attributes:
        slice: the slice's values, e.g. `{"device": "phone"}`; empty for all rows.
        bar: the least (or greatest) value that passes.
        shortfall: by how much the estimate misses the bar, in the metric's unit; 0 or less when it does not.
    """

    metric: str
    slice: dict[str, str]
    estimate: Estimate
    bar: float | None
    shortfall: float | None
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    gate: str  # the gate in words, as `Gate.__str__` gives it
    outcome: Outcome
    evidence: tuple[Evidence, ...]
    reason: str


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """One failure fails all; else one doubt leaves all in doubt; nothing at all proves nothing.

    Examples:
        >>> overall([Outcome.PASS, Outcome.INCONCLUSIVE]).value
        'inconclusive'
        >>> overall([]).value
        'inconclusive'
    """
    seen = set(outcomes)
    if Outcome.FAIL in seen:
        return Outcome.FAIL
    if not seen or Outcome.INCONCLUSIVE in seen:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS
