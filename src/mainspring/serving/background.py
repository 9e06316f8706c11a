"""How much of the processor the gateway's background work gets beside that of answering.

`nice` alone says little: on Linux, a session of its own is a scheduling group of its own, and `nice` counts only
within a group. What counts between groups is the group's own value, which may also be lowered again (sched(7),
"The autogroup feature"). Where there are no such groups, as in most containers, `nice` does it.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_STARVED = 4.0  # times the work: who waits so long beside it has others who want the processor
_NOTHING = 0.01  # seconds of waiting that anybody has
_PAUSE = 2.0  # seconds
LAST = 19  # beside a busy process, a hundredth of a core
EQUAL = 0


def run_in_background(nice: int) -> None:
    """Leave the processor to others as long as they want it; for the process that calls.

    Args:
        nice: where there are no groups: 10 leaves a tenth of a core beside a busy process, 19 a hundredth.
    """
    os.nice(nice)
    give_way(os.getpid(), LAST)


def let_thread_give_way() -> None:
    """Let the other threads of this process go first, for the thread that calls and for ever."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)


def give_way(pid: int, nice: int) -> None:
    """Say how much a process that leads its session gives way: `LAST` or `EQUAL`, or what is between them."""
    with suppress(OSError):  # another system, no such groups, or the process has ended
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")


class Breather:
    """Pauses between pieces of work while others want the processor.

    Even who comes last gets a turn now and then, of a whole tick of the system's clock, and each one keeps all
    requests that are open waiting. Fewer turns are possible only by not asking for them.

    Args:
        pause: waits for so many seconds at most.
    """

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._ran, self._waited = _turns()

    def breathe(self) -> None:
        """A piece of work is done, by the process's main thread."""
        ran, waited = _turns()
        if waited - self._waited > _STARVED * (ran - self._ran) + _NOTHING:
            self._pause(_PAUSE)
            ran, waited = _turns()
        self._ran, self._waited = ran, waited


def _turns() -> tuple[float, float]:
    """Seconds that the main thread ran, and that it was ready to and had to wait (proc(5), schedstat)."""
    try:
        ran, waited, _ = Path("/proc/self/schedstat").read_text(encoding="ascii").split()
    except (OSError, ValueError):  # another system
        return 0.0, 0.0
    return int(ran) / 1e9, int(waited) / 1e9
