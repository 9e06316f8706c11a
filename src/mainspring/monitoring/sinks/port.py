"""The port: what a receiver of alerts is."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mainspring.domain.alert import Alert, Event


class Sink(Protocol):
    """Law: `send` returns when the event is where it stays, and raises otherwise; it takes no longer than the
    time it was made with. The same event may come twice (the sender died between sending and noting so), with
    the same key.

    Attributes:
        name: as in the settings.
        is_limited: that people read it, so that only so many an hour may come.
    """

    name: str
    is_limited: bool

    def send(self, event: Event, *, key: str) -> None:
        """Raises `NotDelivered` for what may go better at the next attempt, `Undeliverable` for what will not."""
        ...


@runtime_checkable
class RemindedSink(Protocol):
    """A sink that forgets, and wants to be told from time to time what is still firing."""

    def remind(self, alerts: Sequence[Alert]) -> None: ...
