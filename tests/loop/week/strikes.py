"""Kills at random moments: of the controller, of the gateway, or of both."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .processes import Process
from .world import World

_AT_MOST = 4  # in an hour: each puts the clock on, and at half past the customers come
_BUSY = 6  # every sixth hour, in some of which it trains, is hit more often, and for longer


@dataclass(frozen=True)
class Strike:
    """One kill.

    Attributes:
        after: seconds since the one before it, or since the hour began.
        roles: who is killed.
        whole: whether what they started is killed as well, or left to find out.
    """

    after: float
    roles: tuple[str, ...]
    whole: bool


def planned(world: World, kills: int, seed: int) -> dict[int, list[Strike]]:
    """So many strikes, by hour."""
    dice = random.Random(seed)
    hours = range(world.first, world.first + world.hours)
    weights = [4 if hour % _BUSY == 0 else 1 for hour in hours]
    plan: dict[int, list[Strike]] = {hour: [] for hour in hours}
    while sum(map(len, plan.values())) < kills:
        hour = dice.choices(hours, weights)[0]
        if len(plan[hour]) < _AT_MOST:
            roles = dice.choice([("gateway",), ("controller",), ("gateway", "controller")])
            mean = 4.0 if hour % _BUSY == 0 else 0.8
            plan[hour].append(Strike(dice.expovariate(1 / mean), roles, dice.random() < 0.5))
    return plan


@contextmanager
def striking(
    strikes: Sequence[Strike], processes: Mapping[str, Process], struck: Callable[[tuple[str, ...]], object]
) -> Iterator[Callable[[], bool]]:
    """Kill while the block runs, and yield what tells whether the last strike has been.

    Args:
        struck: told who was killed, of those who were alive.
    """
    left = threading.Event()

    def strike() -> None:
        for one in strikes:
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
