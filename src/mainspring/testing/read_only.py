"""A folder that cannot be written: mounted over itself for one test, since nothing else holds root back."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Whoever opens a file below `place` from now on cannot write; skips the test where that is not allowed.

    Files that are open already can still be written by those who opened them.
    """
    mounted = _mount("--bind", str(place), str(place))
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a folder: {mounted.stderr.strip()}")
    try:
        assert _mount("-o", "remount,ro,bind", str(place)).returncode == 0
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # files below it may still be open


def _mount(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
