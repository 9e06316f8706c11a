"""A challenger's way up, as declared in `model.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError


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
    """How a release that passed its gates becomes champion.

    A model without a `Rollout` promotes a passing release at once; one with it leaves the release waiting as
    challenger.

    Args:
        shadow: how long the challenger answers beside the champion without being heard.
        canary: the steps that follow, or `None` to go from shadow to champion.
        min_requests: requests that each step must have seen.
        promote: `better` (the default) or `not_worse`.
    """

    shadow: str = "1h"
    canary: Canary | None = Canary()
    min_requests: int = 500
    promote: str = "better"

    def __post_init__(self) -> None:
        parse_duration(self.shadow)
        if self.promote not in ("better", "not_worse"):
            raise DeclarationError(
                f"Rollout(promote={self.promote!r}) is not known", cure='use "better" or "not_worse"'
            )
        if self.min_requests < 1:
            raise DeclarationError("Rollout(min_requests) is under 1", cure="give 1 or more")
