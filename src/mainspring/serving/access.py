"""Who may ask: this machine's own programs by default, holders of the token where one is set."""

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Access:
    """Judges a request by its headers.

    A page of another origin may make a browser send requests to this machine, and DNS rebinding may make them
    look like its own. So a request with a foreign `Origin` is refused, and where the gateway listens on loopback
    only, the `Host` has to name this machine.

    Args:
        loopback: whether the gateway listens on loopback only.
        token_digest: SHA-256 of the token, in hexadecimal; `None` asks for none.
    """

    def __init__(self, *, loopback: bool, token_digest: str | None) -> None:
        self._loopback = loopback
        self._token_digest = token_digest
        self._known_hosts: set[bytes] = set()

    def refusal(self, headers: dict[bytes, bytes], *, open_to_all: bool = False) -> tuple[int, str] | None:
        """Status and reason of a refusal, or `None`.

        Args:
            headers: by lower-case name.
            open_to_all: the route needs no token.
        """
        host = headers.get(b"host", b"")
        if self._loopback and host not in self._known_hosts:
            if _name_of(host) not in _LOCAL_NAMES:
                return 403, "the Host header does not name this machine"
            if len(self._known_hosts) < 64:
                self._known_hosts.add(host)
        origin = headers.get(b"origin")
        if origin is not None and not _same_origin(origin, host):
            return 403, "requests from pages of another origin are refused"
        if self._token_digest is not None and not open_to_all and not self._has_token(headers):
            return 401, "the request carries no valid token"
        return None

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return False
        # Digests are compared, so that neither length nor content of the token shows in the time it takes.
        return hmac.compare_digest(sha256(token.strip()).hexdigest(), self._token_digest or "")


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
