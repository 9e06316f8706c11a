"""Whether the alerts of a week were more than people read: the alert budget."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.alert import Alert

WEEK = timedelta(days=7)
_SHORT = timedelta(hours=1)
_FLAPPED = 3  # it came back at least once after it had begun to recover


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How noisy the alerts of a week were.

    Attributes:
        fired: how many alerts fired.
        budget: how many are fine.
        by_monitor: the monitors (model, monitor) that fired and how often, the most frequent first.
        short: how many were resolved within an hour: nobody could have done anything about them.
        flapping: how many went to and fro over their bar.
    """

    fired: int
    budget: int
    by_monitor: tuple[tuple[tuple[str, str], int], ...] = ()
    short: int = 0
    flapping: int = 0

    @property
    def is_over(self) -> bool:
        return self.fired > self.budget

    def __str__(self) -> str:
        text = f"{self.fired} of {self.budget} alerts in 7 days"
        if self.short:
            text += f", {self.short} over within an hour"
        if self.flapping:
            text += f", {self.flapping} flapping"
        if not self.is_over:
            return text
        (model, monitor), count = self.by_monitor[0]
        return (
            f"{text}: more than people read. {monitor} of {model} fired most often ({count}): move its bar, or "
            "make it wait with `for_`"
        )


def noise(alerts: Iterable[Alert], budget: int, *, now: datetime) -> Noise:
    """The report over the week before `now`.

    Args:
        alerts: of any time and state.
        budget: how many alerts a week people read.

    Examples:
        >>> from datetime import UTC
        >>> str(noise([], 5, now=datetime(2026, 3, 1, tzinfo=UTC)))
        '0 of 5 alerts in 7 days'
    """
    fired = [one for one in alerts if one.fired_at is not None and now - WEEK < one.fired_at <= now]
    counts = Counter((one.model, one.monitor) for one in fired)
    return Noise(
        fired=len(fired),
        budget=budget,
        by_monitor=tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        short=sum(
            one.resolved_at is not None and one.fired_at is not None and one.resolved_at - one.fired_at <= _SHORT
            for one in fired
        ),
        flapping=sum(one.times_changed >= _FLAPPED for one in fired),
    )
