"""Sends a test alert, so that it is known before the first real one whether anybody will hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.clock import Clock
from mainspring.domain.alert import Alert, AlertState, Event, EventKind
from mainspring.domain.ids import uuid7
from mainspring.domain.monitor import AlertSeverity
from mainspring.errors import NotDelivered
from mainspring.monitoring.sinks.port import Sink


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a test alert at one sink.

    Attributes:
        error: why it was not taken; empty where it was.
    """

    sink: str
    seconds: float
    error: str = ""
    cure: str = ""


def send_test(sinks: Sequence[Sink], model: str, clock: Clock) -> list[Delivery]:
    """Send one through every sink, past the outbox and its limits; a sink that fails keeps no other from it."""
    now = clock.now()
    alert = Alert(
        id=uuid7(clock),
        model=model,
        monitor="test",
        severity=AlertSeverity.INFO,
        state=AlertState.FIRING,
        since=now,
        last_seen=now,
        causes=(),
        fired_at=now,
    )
    event = Event(id=f"{alert.id}-test", kind=EventKind.TEST, at=now, alert=alert)
    return [_send(sink, event, clock) for sink in sinks]


def _send(sink: Sink, event: Event, clock: Clock) -> Delivery:
    begun = clock.monotonic()
    try:
        sink.send(event, key=f"{event.id}-{sink.name}")
    except NotDelivered as error:
        return Delivery(sink.name, clock.monotonic() - begun, error.message, error.cure)
    return Delivery(sink.name, clock.monotonic() - begun)
