"""Posts JSON to a web server: to the judged address only, without following anybody, and never for long."""

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mainspring.errors import NotDelivered, Undeliverable
from mainspring.monitoring.sinks.targets import Lookup, Target, find_target

_MISUNDERSTOOD = (400, 413, 422)  # the same body would be answered the same again
_ANSWER_BYTES = 16_384
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Poster:
    """What all posts of a sink have in common.

    Attributes:
        url: it may hold a secret, and is in no message; the host is.
        timeout: seconds for the whole exchange, whatever the server does meanwhile.
        trust: certificates; the system's where not given.
    """

    url: str = field(repr=False)
    allowed: Sequence[str]
    timeout: float
    lookup: Lookup = socket.getaddrinfo
    trust: ssl.SSLContext | None = None

    def post(self, body: Any, headers: Mapping[str, str], path: str = "") -> None:
        """Returns when the server said that it took it.

        Args:
            path: added to the URL's.

        Raises:
            NotDelivered: it did not; `where["after"]` says when it wants to be asked again, if it said so.
            Undeliverable: it does not understand the body.
        """
        target = find_target(self.url, self.allowed, self.lookup)
        content = msgspec.json.encode(body, enc_hook=str)
        sent = {"Content-Type": "application/json", "User-Agent": "mainspring", **headers}
        if target.credentials is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(target.credentials.encode()).decode()
        connection = _connection(target, self.timeout, self.trust)
        late = threading.Timer(self.timeout, connection.abort)
        late.daemon = True
        late.start()
        try:
            connection.request("POST", target.path.rstrip("/") + path if path else target.path, content, sent)
            answer = connection.getresponse()
            said = answer.read(_ANSWER_BYTES)
            after = answer.headers.get("Retry-After", "")
            if connection.is_aborted:  # what was read until then looks like an answer
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failed(target, connection, self.timeout, error) from error
        finally:
            late.cancel()
            connection.close()
        if not 200 <= answer.status < 300:
            raise _refused(target, answer.status, said, after)


class _Pinned(http.client.HTTPConnection):
    """A connection to the addresses that were judged, whatever the name server says by now."""

    def __init__(self, target: Target, timeout: float, context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._target = target
        self._context = context
        self._raw: socket.socket | None = None
        self.is_aborted = False

    def connect(self) -> None:
        error: OSError | None = None
        for address in self._target.addresses:
            try:
                self._raw = socket.create_connection((address, self._target.port), self.timeout)
            except OSError as failed:
                error = failed
                continue
            if self.is_aborted:  # while there was nothing yet to abort
                self._raw.close()
                break
            self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self._raw
            if self._context is not None:
                self.sock = self._context.wrap_socket(self._raw, server_hostname=self._target.host)
            return
        raise error or TimeoutError()

    def abort(self) -> None:
        """End the exchange from another thread: a server that sends a byte a second would hold it for ever."""
        self.is_aborted = True
        for one in (self.sock, self._raw):
            if one is not None:
                try:
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
                except OSError:
                    continue  # it has ended by itself


def _connection(target: Target, timeout: float, trust: ssl.SSLContext | None) -> _Pinned:
    context = (trust or ssl.create_default_context()) if target.scheme == "https" else None
    return _Pinned(target, timeout, context)


def _failed(target: Target, connection: _Pinned, timeout: float, error: Exception) -> NotDelivered:
    if connection.is_aborted or isinstance(error, TimeoutError):
        what, cure = f"{target.host} did not answer within {timeout:g} s", "see that it runs"
    elif isinstance(error, ssl.SSLCertVerificationError):
        what = f"the certificate of {target.host} is not valid: {error.verify_message}"
        cure = "see who answers there; certificates are always verified"
    elif isinstance(error, OSError):
        what = f"{target.host}:{target.port} cannot be reached: {error.strerror or type(error).__name__}"
        cure = "see that it runs, and that it can be reached from here"
    else:
        what = f"{target.host} did not answer as a web server does: {type(error).__name__}"
        cure = "check the URL"
    return NotDelivered(what, cure=cure, where={"host": target.host})


def _refused(target: Target, status: int, said: bytes, after: str) -> NotDelivered:
    text = "".join(c if c.isprintable() else " " for c in said.decode("utf-8", "replace")).strip()[:_SHOWN]
    where: dict[str, Any] = {"host": target.host, "status": status}
    if 300 <= status < 400:
        return NotDelivered(
            f"{target.host} answered {status}: it sends us elsewhere, and we follow nobody",
            cure="write the URL that it leads to into the settings",
            where=where,
        )
    if after.strip().isdigit():
        where["after"] = int(after)
    kind = Undeliverable if status in _MISUNDERSTOOD else NotDelivered
    return kind(
        f"{target.host} answered {status}" + (f": {text}" if text else ""),
        cure="check the URL and the format" if status < 500 else "see what ails it",
        where=where,
    )
