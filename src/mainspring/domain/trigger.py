"""Why a training starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TriggerKind(StrEnum):
    """In the order in which they are looked at: what shows that the model is worse comes first."""

    BY_HAND = "by hand"
    PERFORMANCE = "performance"
    DRIFT = "drift"
    NEW_LABELS = "new labels"
    NEW_DATA = "new data"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What started a training.

    Attributes:
        id: the same for the same cause (an alert, a moment of the schedule, a count of labels), so that it starts
            one training and no second one.
        reason: in words, for people.
        since: from when on the rows are different, where a change was found.
        evidence: what it rests on: the alert's id, its causes, the count of labels …
    """

    id: str
    kind: TriggerKind
    at: datetime
    reason: str
    since: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
