"""The outbox: what is still to be told to whom. Written with the alert itself, delivered later and apart."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mainspring.domain.alert import Event


class NotificationState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"  # given up; `error` says why


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One event for one sink.

    Attributes:
        id: the idempotency key: the same at every attempt.
        due_at: not before. One that is being sent is put off meanwhile, so that nobody else sends it, and it is
            sent again where the sender died.
        attempts: how often it was tried.
        error: why the last attempt failed.
    """

    id: str
    sink: str
    event: Event
    created_at: datetime
    due_at: datetime
    state: NotificationState = NotificationState.WAITING
    attempts: int = 0
    error: str = ""
    ended_at: datetime | None = None

    @classmethod
    def of(cls, event: Event, sink: str, now: datetime) -> "Notification":
        return cls(id=f"{event.id}-{sink}", sink=sink, event=event.brief(), created_at=now, due_at=now)
