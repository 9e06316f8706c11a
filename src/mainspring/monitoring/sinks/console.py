"""Writes alerts for the person at the terminal, or into the service's log."""

from typing import TextIO

from mainspring.domain.alert import Event, EventKind
from mainspring.errors import NotDelivered
from mainspring.monitoring.alerts.wording import headline


class ConsoleSink:
    """One line an event."""

    name = "console"
    is_limited = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, event: Event, *, key: str) -> None:  # noqa: ARG002 - a line is a line
        text = headline(event)
        if event.kind is EventKind.FIRED:
            text += f"  [mainspring alerts show {event.alert.id}]"
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:  # the terminal is gone
            raise NotDelivered(f"standard error cannot be written: {error}", cure="see where it leads") from error
