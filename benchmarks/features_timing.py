"""How long reads of one key and of a hundred take; the standard library alone, so that peers use it too."""

import random
import time
from collections.abc import Callable, Sequence


def quantiles(read: Callable[[Sequence[int]], object], keys: int, *, ones: int, hundreds: int) -> dict[str, float]:
    """Milliseconds of reads of random keys.

    Args:
        ones, hundreds: how many reads of one key, and of a hundred.
    """
    source = random.Random(1)
    figures: dict[str, float] = {}
    for what, width, times in (("one key", 1, ones), ("100 keys", 100, hundreds)):
        taken = []
        for number in range(times + times // 10):
            asked = source.sample(range(keys), width)
            begun = time.perf_counter()
            read(asked)
            if number >= times // 10:  # those before warm up
                taken.append((time.perf_counter() - begun) * 1e3)
        taken.sort()
        figures[f"{what}: p50 ms"] = taken[len(taken) // 2]
        figures[f"{what}: p99 ms"] = taken[int(len(taken) * 0.99)]
    return figures
