"""A gateway of the demo's own: `mainspring serve` in a process that ends with the `with` block."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
        status, body = self._exchange("POST", f"/predict/{model}", json.dumps({"rows": rows}))
        if status != 200:
            raise StoreError(f"the gateway answered {status}: {body[:300]}", cure="see what it said")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def is_ready(self) -> bool:
        """Whether the gateway answers and has loaded its releases."""
        try:
            return self._exchange("GET", "/readyz")[0] == 200
        except StoreError:
            return False

    def close(self) -> None:
        self._connection.close()

    def _exchange(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        try:
            self._connection.request(method, path, body, self._headers)
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise StoreError(f"the gateway at {self.address} does not answer: {error}") from error


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
    command = [sys.executable, "-m", "mainspring", "serve", "--project", str(project), "--port", "0", "--json"]
    process = subprocess.Popen(
        command, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    said: list[bytes] = []
    listener = threading.Thread(target=_keep_last, args=(process.stderr, said), daemon=True)
    listener.start()
    try:
        client = Client(_address(process, said), token)
        try:
            deadline = clock.monotonic() + patience
            while not client.is_ready():
                if clock.monotonic() > deadline or process.poll() is not None:
                    raise StoreError(
                        f"the gateway does not get ready: {_words(said)}", cure="try mainspring serve"
                    )
                clock.sleep(0.05)
            yield client
        finally:
            client.close()
    finally:
        _end(process)
        listener.join(_PATIENCE)
        if process.stderr is not None:
            process.stderr.close()


def _address(process: "subprocess.Popen[bytes]", said: list[bytes]) -> str:
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
            cure="try mainspring serve by hand",
        ) from error


def _keep_last(stream: Any, said: list[bytes]) -> None:
    # Read to the end, or the gateway would wait for someone to empty the pipe.
    for line in stream:
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
