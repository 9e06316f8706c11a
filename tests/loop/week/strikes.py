"""Kills at random moments: of the controller, of the gateway, or of both."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from .processes import Process
from .world import World

_AT_MOST = 4  # in an hour: each puts the clock on, and at half past the customers come
_TRAINS = 6  # the hour of each day at which it trains by the schedule
_OFTEN = 12  # times as often as in other hours it is struck then


class Amid(StrEnum):
    """What a strike waits for; where an hour brings nothing of it, it falls at the hour's end."""

    ANYTHING = "anything"
    TRAINING = "training"
    CUSTOMERS = "customers"


_PAUSES = {Amid.ANYTHING: 0.8, Amid.TRAINING: 4.0, Amid.CUSTOMERS: 0.1}  # seconds, on average


@dataclass(frozen=True)
class Strike:
    """One kill.

    Attributes:
        after: seconds since what it waits for.
        roles: who is killed.
        whole: whether what they started is killed as well, or left to find out.
    """

    amid: Amid
    after: float
    roles: tuple[str, ...]
    whole: bool


def planned(world: World, kills: int, seed: int) -> dict[int, list[Strike]]:
    """So many strikes, by hour."""
    dice = random.Random(seed)
    hours = range(world.first, world.first + world.hours)
    weights = [_OFTEN if hour % 24 == _TRAINS else 1 for hour in hours]
    plan: dict[int, list[Strike]] = {hour: [] for hour in hours}
    while sum(map(len, plan.values())) < kills:
        hour = dice.choices(hours, weights)[0]
        if len(plan[hour]) < _AT_MOST:
            amid = Amid.TRAINING if hour % 24 == _TRAINS else dice.choice([Amid.ANYTHING, Amid.CUSTOMERS])
            roles = dice.choice([("gateway",), ("controller",), ("gateway", "controller")])
            plan[hour].append(Strike(amid, dice.expovariate(1 / _PAUSES[amid]), roles, dice.random() < 0.5))
    return plan


@contextmanager
def striking(
    strikes: Sequence[Strike],
    processes: Mapping[str, Process],
    is_amid: Callable[[Amid], bool],
    struck: Callable[[tuple[str, ...]], object],
) -> Iterator[Callable[[], bool]]:
    """Kill while the block runs, and yield what tells whether the last strike has been.

    Args:
        struck: told who was killed, of those who were alive.
    """
    left = threading.Event()

    def strike() -> None:
        for one in strikes:
            while not is_amid(one.amid) and not left.wait(0.01):
                pass
            killed: tuple[str, ...] = ()
            while not killed and not left.wait(one.after):  # where all are dead already, once they are back
                killed = tuple(role for role in one.roles if processes[role].kill(whole=one.whole))
            if killed:
                struck(killed)

    thread = threading.Thread(target=strike, name="strikes")
    thread.start()
    try:
        yield lambda: not thread.is_alive()
    finally:
        left.set()
        thread.join()
