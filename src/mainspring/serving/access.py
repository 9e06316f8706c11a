"""Who may ask: this machine's own programs until there is a key, holders of a key or the token from then on."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlsplit

from mainspring.domain.access import Role
from mainspring.serving.grants import EVERYBODY, Grant
from mainspring.serving.keyring import KeyRing

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LONGEST_TOKEN = 512


class Access:
    """Judges a request by its headers.

    A page of another origin may make a browser send requests to this machine, and DNS rebinding may make them
    look like its own. So a request with a foreign `Origin` is refused, and where the gateway listens on loopback
    only, the `Host` has to name this machine.

    Args:
        loopback: whether the gateway listens on loopback only.
        token_digest: SHA-256 of the token that allows everything, in hexadecimal; `None` where there is none.
        ring: the keys.
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        loopback: bool,
        token_digest: str | None,
        ring: KeyRing,
        now: Callable[[], float],
    ) -> None:
        self._loopback = loopback
        self._token_digest = None if token_digest is None else bytes.fromhex(token_digest)
        self._ring = ring
        self._now = now
        self._known_hosts: set[bytes] = set()
        self._needs_key = True

    def need_keys(self, needed: bool) -> None:
        """Say whether there are keys. Without any, and without a token, loopback is open."""
        self._needs_key = needed or not self._loopback or self._token_digest is not None

    def refusal(self, headers: dict[bytes, bytes]) -> tuple[str, str] | None:
        """Why no key whatever would help, and what would, or `None`.

        Args:
            headers: by lower-case name.
        """
        host = headers.get(b"host", b"")
        if self._loopback and host not in self._known_hosts:
            if _name_of(host) not in _LOCAL_NAMES:
                return (
                    "the Host header does not name this machine",
                    "ask for localhost; for other names, start the gateway with --host ADDRESS",
                )
            if len(self._known_hosts) < 64:
                self._known_hosts.add(host)
        origin = headers.get(b"origin")
        if origin is not None and not _same_origin(origin, host):
            return (
                "requests from pages of another origin are refused",
                "ask from a program, or from a page that comes from this address",
            )
        return None

    def known(self, headers: dict[bytes, bytes]) -> Grant | None:
        """What the request may do, as far as that is known without proving its key."""
        if not self._needs_key:
            return EVERYBODY
        secret = _bearer(headers)
        if secret is None:
            return None
        digest = sha256(secret).digest()
        # Digests are compared, so that neither length nor content of the token shows in the time it takes.
        if self._token_digest is not None and hmac.compare_digest(digest, self._token_digest):
            return _TOKEN
        return self._in_time(self._ring.proved(digest))

    async def proved(self, headers: dict[bytes, bytes]) -> Grant | None:
        """What the request may do; `None` when it carries no key that holds. Raises `TooManyRequests`."""
        secret = _bearer(headers)
        return None if secret is None else self._in_time(await self._ring.prove(secret))

    def _in_time(self, grant: Grant | None) -> Grant | None:
        if grant is not None and grant.until is not None and self._now() >= grant.until:
            return None
        return grant


_TOKEN = Grant("token", frozenset(Role))


def _bearer(headers: dict[bytes, bytes]) -> bytes | None:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    token = token.strip()
    return token if scheme.lower() == b"bearer" and 0 < len(token) <= _LONGEST_TOKEN else None


def _name_of(host: bytes) -> str:
    text = host.decode("latin-1").lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    name, _, port = text.partition(":")
    return name if not port or port.isdigit() else ""


def _same_origin(origin: bytes, host: bytes) -> bool:
    try:
        place = urlsplit(origin.decode("latin-1").lower()).netloc
    except ValueError:
        return False
    return bool(place) and place == host.decode("latin-1").lower()
