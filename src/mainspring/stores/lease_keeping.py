"""Keeps a lease while something goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mainspring.domain.ports import Lease
from mainspring.errors import StoreError

_LOG = logging.getLogger("mainspring.controller")
SECONDS = 30.0
"""How long a lease that is kept so lives without being renewed."""


@contextmanager
def kept(lease: Lease, lost: Callable[[], object]) -> Iterator[None]:
    """Renew the lease in a thread of its own until the block ends.

    Args:
        lost: called once, where it could not be renewed.
    """
    done = threading.Event()

    def keep() -> None:
        while not done.wait(SECONDS / 3):
            try:
                lease.renew()
            except StoreError as error:
                _LOG.error("%s", error)
                lost()
                return

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
