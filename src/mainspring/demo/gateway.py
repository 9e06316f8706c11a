"""A gateway of the demo's own: `mainspring serve` or `up` in a process that ends with the `with` block."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mainspring.clock import Clock
from mainspring.errors import StoreError

_PATIENCE = 30.0  # seconds for the gateway to be ready, and to end


class Client:
    """One connection to a gateway.

    Args:
        address: `http://host:port`.
        token: what the gateway asks for, if anything.
    """

    def __init__(self, address: str, token: str | None) -> None:
        self.address = address
        self._connection = HTTPConnection(urlsplit(address).netloc, timeout=10)
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The whole answer for these rows.

        Raises:
            StoreError: the gateway does not answer, or refuses.
        """
        return self._post(f"/predict/{model}", {"rows": rows})

    def feedback(self, model: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Say what came true. Raises as `predict`."""
        return self._post(f"/feedback/{model}", messages)

    def push(self, view: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Add rows to a feature view. Raises as `predict`."""
        return self._post(f"/features/{view}", {"rows": rows})

    def is_ready(self) -> bool:
        """Whether the gateway answers and has loaded its releases."""
        try:
            return self._exchange("GET", "/readyz")[0] == 200
        except StoreError:
            return False

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, document: object) -> dict[str, Any]:
        status, body = self._exchange("POST", path, json.dumps(document))
        if status not in (200, 202):
            raise StoreError(f"the gateway answered {status}: {body[:300]}", cure="see what it said")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _exchange(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        try:
            self._connection.request(method, path, body, self._headers)
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise StoreError(f"the gateway at {self.address} does not answer: {error}") from error


@dataclass(frozen=True, slots=True)
class Served:
    """What is served.

    Attributes:
        client: asks it.
        is_alive: whether its process still runs.
    """

    client: Client
    is_alive: Callable[[], bool]


@contextmanager
def gateway(
    project: Path, environ: Mapping[str, str], clock: Clock, *, token: str | None, patience: float = _PATIENCE
) -> Iterator[Client]:
    """Serve the project on a free port until the block ends.

    Args:
        patience: seconds for the gateway to be ready.

    Raises:
        StoreError: the gateway does not come up.
    """
    with _running("serve", project, environ, clock, token, patience) as served:
        yield served.client


@contextmanager
def everything_up(
    project: Path, environ: Mapping[str, str], clock: Clock, *, token: str | None, patience: float, log: Path
) -> Iterator[Served]:
    """`mainspring up` on a free port until the block ends: the gateway, and the controller that runs the loop.

    Args:
        log: where what it says goes.

    Raises:
        StoreError: it does not come up.
    """
    with _running("up", project, environ, clock, token, patience, log) as served:
        yield served


@contextmanager
def _running(
    verb: str,
    project: Path,
    environ: Mapping[str, str],
    clock: Clock,
    token: str | None,
    patience: float,
    log: Path | None = None,
) -> Iterator[Served]:
    command = [sys.executable, "-m", "mainspring", verb, "--project", str(project), "--port", "0", "--json"]
    process = subprocess.Popen(
        command, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    said: list[bytes] = []
    listener = threading.Thread(target=_keep, args=(process.stderr, said, log), daemon=True)
    listener.start()
    try:
        client = Client(_address(process, said, verb), token)
        try:
            deadline = clock.monotonic() + patience
            while not client.is_ready():
                if clock.monotonic() > deadline or process.poll() is not None:
                    raise StoreError(
                        f"the gateway does not get ready: {_words(said)}", cure=f"try mainspring {verb}"
                    )
                clock.sleep(0.05)
            yield Served(client, lambda: process.poll() is None)
        finally:
            client.close()
    finally:
        _end(process)
        listener.join(_PATIENCE)
        if process.stderr is not None:
            process.stderr.close()


def _address(process: "subprocess.Popen[bytes]", said: list[bytes], verb: str) -> str:
    """Read the one document that the gateway prints when its port is open."""
    assert process.stdout is not None
    text = b""
    for line in process.stdout:
        text += line
        if line.rstrip() == b"}":
            break
    try:
        document = json.loads(text)
        return str(document["address"])
    except (ValueError, KeyError) as error:
        raise StoreError(
            f"the gateway did not come up: {text.decode(errors='replace')} {_words(said)}".strip(),
            cure=f"try mainspring {verb} by hand",
        ) from error


def _keep(stream: Any, said: list[bytes], log: Path | None) -> None:
    """Read to the end, or the gateway would wait for someone to empty the pipe."""
    with (log or Path(os.devnull)).open("ab", buffering=0) as file:
        for line in stream:
            file.write(line)
            said.append(line)
            del said[:-20]


def _words(said: list[bytes]) -> str:
    return b"".join(said).decode(errors="replace").strip()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the session is the gateway's own: its workers and nobody else
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
