"""A PostgreSQL server of our own, for one test session."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CLUSTER = ("-U", "mainspring", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
_SERVER = ("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")


class PostgresServer:
    """A server; every `database()` is a new, empty one.

    Args:
        begin: starts its process.
    """

    def __init__(self, port: int, begin: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self.port = port
        self._begin = begin
        self._process = begin()

    @property
    def answers(self) -> bool:
        """Whether it does, once it has had the time."""
        return _answers(self.port, self._process)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it; by default as an administrator does, who breaks every connection."""
        if self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait()

    def start(self) -> None:
        """Start it again after `stop`, with all that it held."""
        self._process = self._begin()
        assert self.answers

    def database(self) -> str:
        """Make room of its own (a schema: a whole database would take seconds) and return its SQLAlchemy URL."""
        import psycopg

        name = f"t{uuid.uuid4().hex}"
        place = f"host=127.0.0.1 port={self.port} user=mainspring dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{name}"'.encode())
        return f"postgresql+psycopg://mainspring@127.0.0.1:{self.port}/postgres?options=-csearch_path%3D{name}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a private server in a temporary folder on a free port of the loopback.

    Skips the test, with the reason, where PostgreSQL or its driver is not installed or may not be started.
    """
    pytest.importorskip("psycopg", reason="needs the PostgreSQL driver: pip install 'mainspring[postgres]'")
    programs = {name: shutil.which(name) for name in ("initdb", "postgres")}
    absent = [name for name, place in programs.items() if place is None]
    if absent:
        pytest.skip(f"needs a PostgreSQL server on the PATH; not found: {', '.join(absent)}")
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="mainspring-postgres-"))
    server: PostgresServer | None = None
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
        made = subprocess.run(  # type: ignore[call-overload]
            [programs["initdb"], *_CLUSTER, "-D", folder / "data"],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            **identity,
        )
        if made.returncode:
            pytest.skip(f"PostgreSQL could not make a cluster: {made.stderr.strip()}")
        port = _free_port()

        def begin() -> "subprocess.Popen[bytes]":
            with (folder / "log").open("ab") as log:
                return subprocess.Popen(  # type: ignore[no-any-return, call-overload]
                    [programs["postgres"], *_SERVER, "-D", folder / "data", "-p", str(port), "-k", folder],
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    **identity,
                )

        server = PostgresServer(port, begin)
        if not server.answers:
            pytest.skip(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")
        yield server
    finally:
        if server is not None:
            server.stop(signal.SIGQUIT)  # at once: the cluster is thrown away
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses to run as root, and there is no user nobody")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int, server: "subprocess.Popen[bytes]") -> bool:
    import time

    import psycopg

    for _ in range(200):
        if server.poll() is not None:
            return False
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=mainspring dbname=postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False
