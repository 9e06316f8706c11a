"""How much searching a run may do."""

from dataclasses import dataclass
from typing import Any

from mainspring.domain.durations import parse_duration
from mainspring.errors import UsageError


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds of the wall clock for the whole search, or a number of trials; exactly one of the two.

    Only a budget in trials repeats a search exactly.

    Examples:
        >>> Budget.parse("2m")
        Budget(seconds=120.0, trials=None)
    """

    seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.trials is None):
            raise UsageError("a budget is either a time or a number of trials", cure="give one of the two")
        if (self.seconds if self.seconds is not None else self.trials or 0) <= 0:
            raise UsageError("the budget is empty", cure="give more than 0, e.g. --budget 120s or --trials 20")

    @classmethod
    def parse(cls, duration: str) -> "Budget":
        """A budget in time, e.g. `120s`."""
        return cls(seconds=parse_duration(duration).total_seconds())

    def to_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds} if self.seconds is not None else {"trials": self.trials}

    def __str__(self) -> str:
        return f"{self.seconds:g} s" if self.seconds is not None else f"{self.trials} trials"
