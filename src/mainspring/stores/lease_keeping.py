"""Keeps a lease while something goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mainspring.domain.ports import Lease
from mainspring.errors import StoreError, WorkspaceBusy

_LOG = logging.getLogger("mainspring.controller")
CONTROLLER = "controller"
"""The name of the lease of whoever runs the loop of a workspace."""
SECONDS = 30.0
"""How long a lease that is kept so lives without being renewed."""
_AGAIN = 2.0  # seconds until a renewal that the database kept from being made is tried again


@contextmanager
def kept(lease: Lease, lost: Callable[[], object]) -> Iterator[None]:
    """Renew the lease in a thread of its own until the block ends.

    Args:
        lost: called once, where another process has it, or it could not be renewed for as long as it lives.
    """
    done = threading.Event()

    def keep() -> None:
        pause, renewed_at = SECONDS / 3, time.monotonic()
        while not done.wait(pause):
            try:
                lease.renew()
            except StoreError as error:
                _LOG.error("%s", error)
                if isinstance(error, WorkspaceBusy) or time.monotonic() + _AGAIN > renewed_at + SECONDS:
                    lost()
                    return
                pause = _AGAIN
            else:
                pause, renewed_at = SECONDS / 3, time.monotonic()

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
