"""Other processes that use the same records database."""

import subprocess
import sys

_OPENING = """
import dataclasses, os, sys
from mainspring.domain.release import Alias
from mainspring.stores.records import SqlRecords
from mainspring.testing.contracts.records import a_release
records = SqlRecords(sys.argv[1])
"""


def child(url: str, script: str) -> "subprocess.Popen[str]":
    """A process that has opened the database as `records`, and does what the script says."""
    return subprocess.Popen(
        [sys.executable, "-c", _OPENING + script, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: "subprocess.Popen[str]") -> None:
    """Let it go on from its `input()`."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: "subprocess.Popen[str]") -> None:
    """Wait until it has ended."""
    process.communicate()
