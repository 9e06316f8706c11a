"""A worker's keys. A secret is proved once, in a thread; from then on its SHA-256 tells it in a microsecond.

Proving costs 20 ms of a core, so a flood of wrong secrets must not get far. One that names no key costs nothing;
one that has been found wrong is remembered; and per key and in total only a few wrong ones are proved in ten
seconds, after which secrets not seen before wait for their turn (429). Proved secrets are never in that queue.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from hashlib import sha256

from mainspring.domain.access import allowed
from mainspring.errors import TooManyRequests
from mainspring.serving.grants import Grant
from mainspring.serving.keys import KnownKey, KnownKeys, key_id_of, proves

_WINDOW = 10.0  # seconds
_WRONG_OF_A_KEY = 5  # in a window
_WRONG = 25  # in a window, of all keys: 5 % of a core
_WAITING = 256  # secrets waiting to be proved
_REMEMBERED = 4096  # wrong ones


class KeyRing:
    """Args:
    threads: where secrets are proved, one at a time.
    clock: seconds of the event loop.
    prove: whether a secret is the one of a digest; blocks.
    """

    def __init__(
        self, threads: Executor, clock: Callable[[], float], prove: Callable[[bytes, str], bool] = proves
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._prove = prove
        self._keys: dict[str, KnownKey] = {}
        self._proved: dict[bytes, tuple[KnownKey, Grant]] = {}
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._proving: dict[bytes, asyncio.Future[bool]] = {}
        self._window_began = 0.0
        self._wrong_in_window: dict[str, int] = {}  # by key, those being proved too: a key has but one right one
        self._wrong_in_all = 0

    def replace(self, known: KnownKeys) -> None:
        """Take these keys in place of the present ones; secrets of keys that stayed as they were stay proved."""
        self._keys = {key.id: key for key in known.keys}
        self._proved = {
            digest: (key, grant) for digest, (key, grant) in self._proved.items() if self._keys.get(key.id) == key
        }
        self._wrong.clear()

    def proved(self, digest: bytes) -> Grant | None:
        """What a secret allows, if it has been proved before.

        Args:
            digest: SHA-256 of the secret.
        """
        found = self._proved.get(digest)
        return None if found is None else found[1]

    async def prove(self, secret: bytes) -> Grant | None:
        """What a secret allows; `None` when it is wrong.

        Raises:
            TooManyRequests: too many secrets wait to be proved, or were wrong.
        """
        key_id = key_id_of(secret)
        key = None if key_id is None else self._keys.get(key_id)
        digest = sha256(secret).digest()
        if key is None or digest in self._wrong:
            return None
        if digest in self._proved:
            return self.proved(digest)
        if digest not in self._proving:
            self._admit(key)
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, self._prove, secret, key.digest)
            self._proving[digest] = future
            future.add_done_callback(lambda done: self._settle(digest, key, done))
        # Shielded: that one client went away must not take the answer from the others.
        await asyncio.shield(self._proving[digest])
        return self.proved(digest)

    def _admit(self, key: KnownKey) -> None:
        now = self._clock()
        if now - self._window_began > _WINDOW:
            self._window_began = now
            self._wrong_in_window = {}
            self._wrong_in_all = 0
        wrong = self._wrong_in_window
        crowded = len(self._proving) >= _WAITING or self._wrong_in_all >= _WRONG
        if crowded or wrong.get(key.id, 0) >= _WRONG_OF_A_KEY:
            raise TooManyRequests(
                "too many wrong keys were sent", cure=f"ask again in {_WINDOW:g} seconds, with the right one"
            )
        wrong[key.id] = wrong.get(key.id, 0) + 1

    def _settle(self, digest: bytes, key: KnownKey, done: "asyncio.Future[bool]") -> None:
        del self._proving[digest]
        if done.cancelled() or done.exception() is not None:
            return
        if not done.result():
            self._wrong_in_all += 1
            self._wrong[digest] = None
            while len(self._wrong) > _REMEMBERED:
                self._wrong.popitem(last=False)
            return
        if key.id in self._wrong_in_window:
            self._wrong_in_window[key.id] = max(0, self._wrong_in_window[key.id] - 1)
        if self._keys.get(key.id) == key:  # not revoked meanwhile
            self._proved[digest] = (key, Grant(key.name, allowed(key.roles), key.slot, key.until))
