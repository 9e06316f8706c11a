"""Waiting for what another process or thread does, in tests."""

import time
from collections.abc import Callable


def until(what: Callable[[], object], words: str, *, patience: float = 60.0) -> None:
    """Ask again and again until it holds; an assertion fails where it does not within so many seconds."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, f"never: {words}"
        time.sleep(0.02)
