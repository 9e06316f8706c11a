"""A Redis server of our own, to be filled, stopped, killed and slowed down."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class RedisServer:
    """A server on a socket in a folder of its own, which keeps nothing when it ends.

    Attributes:
        url: with which it is opened.
    """

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self._socket = folder / "socket"
        self._command = [
            program, "--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder),
            "--save", "", "--appendonly", "no", "--daemonize", "no", *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers."""
        import redis

        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                with redis.Redis.from_url(self.url, protocol=2) as client:
                    client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        self.kill()
        pytest.skip("Redis did not start")

    def kill(self) -> None:
        """End it at once, with all that it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Let it answer nobody, as one that swaps or is too far away."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        self.ask("FLUSHALL")

    def ask(self, *command: str | int) -> object:
        """The answer to any command."""
        import redis

        with redis.Redis.from_url(self.url, protocol=2) as client:
            return client.execute_command(*command)


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Start a private server; skips the test, with the reason, where there is none or no client.

    Args:
        options: as `redis-server` takes them, e.g. `--maxmemory 2mb`.
    """
    pytest.importorskip("redis", reason="needs the Redis client: pip install 'mainspring[redis]'")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs a Redis server on the PATH; not found: redis-server")
    folder = Path(tempfile.mkdtemp(prefix="mainspring-redis-"))  # a socket's path is short
    server = RedisServer(program, folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
