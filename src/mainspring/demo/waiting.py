"""Waiting for what the loop does by itself; what does not come in time is said."""

from collections.abc import Callable
from typing import TypeVar

from mainspring.clock import Clock
from mainspring.errors import MainspringError

T = TypeVar("T")
_LOOK = 0.25  # seconds between two looks


class NotInTime(MainspringError):
    """A step of the story that did not come in its time, or went otherwise."""


class Waiting:
    """Waits.

    Args:
        is_alive: whether that which is waited for can come at all.
    """

    def __init__(self, clock: Clock, is_alive: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_alive = is_alive

    def until(self, words: str, found: Callable[[], T | None], *, patience: float) -> T:
        """What is found, as soon as it is there.

        Args:
            words: what is waited for, e.g. `an alert`.
            patience: seconds.

        Raises:
            NotInTime: it did not come, or `mainspring up` has ended.
        """
        deadline = self._clock.monotonic() + patience
        while True:
            there = found()
            if there is not None:
                return there
            if not self._is_alive():
                raise NotInTime(f"there was not {words}: mainspring up has ended", cure="see its log, up.log")
            if self._clock.monotonic() > deadline:
                raise NotInTime(
                    f"there was not {words} within {patience:g} s",
                    cure="try again when the machine has less to do, or see the log, up.log",
                )
            self._clock.sleep(_LOOK)
