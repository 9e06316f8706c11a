"""When an A/B test ran, and with which groups, by what the history says of the traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from mainspring.domain.ports import Records
from mainspring.domain.routing import Arm, Traffic

_CHANGES = 10_000  # of traffic and aliases that are looked through


@dataclass(frozen=True, slots=True)
class Period:
    """The newest time in which the same arms had the same shares all along.

    Attributes:
        end: `None` while it goes on.
        planned_end: `None` where none was set.
        rest: the share of the requests that no arm answered; `None` where a canary had a part of it.
    """

    start: datetime
    end: datetime | None
    planned_end: datetime | None
    arms: tuple[Arm, ...]
    rest: float | None


def newest_test(records: Records, model: str) -> Period | None:
    """The test that runs, else the last one that ran; `None` where there never was one."""
    changes = [change for change in records.audit(model, _CHANGES) if change["alias"] == "traffic"]
    rules = [(change["at"], msgspec.convert(change["detail"]["after"], Traffic)) for change in changes]
    newest = next((place for place, (_, after) in enumerate(rules) if after.arms), None)
    if newest is None:
        return None
    arms = rules[newest][1].arms
    oldest = newest
    while oldest + 1 < len(rules) and rules[oldest + 1][1].arms == arms:
        oldest += 1
    has_canary = any(after.canary is not None for _, after in rules[newest : oldest + 1])
    rest = max(0.0, 1 - sum(arm.share for arm in arms))
    return Period(
        start=rules[oldest][0],
        end=rules[newest - 1][0] if newest else None,
        planned_end=rules[newest][1].arms_end,
        arms=arms,
        rest=None if has_canary else rest if rest > 1e-9 else 0.0,
    )
