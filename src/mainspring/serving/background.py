"""How much of the processor the gateway's background work gets beside that of answering.

`nice` alone says little: on Linux, a session of its own is a scheduling group of its own, and `nice` counts only
within a group. What counts between groups is the group's own value, which may also be lowered again (sched(7),
"The autogroup feature"). Where there are no such groups, as in most containers, `nice` does it.
"""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

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
