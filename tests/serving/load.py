"""A steady load on a gateway whose answers are all checked."""

import asyncio
import json
import random
import threading
import time

from .conftest import ROW, expected

BODY = json.dumps(ROW).encode()
KEYS = 40


def request(key: int) -> bytes:
    head = (
        "POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nx-routing-key: user-%d\r\nContent-Length: %d\r\n\r\n"
    )
    return (head % (key, len(BODY))).encode() + BODY


class Load:
    """Connections that ask without pause; every answer must be right for the release that it names."""

    def __init__(self, port: int, connections: int = 6, pause: float = 0.002) -> None:
        self._port = port
        self._connections = connections
        self._pause = pause
        self._stop = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._right = {number: float(expected(number, [ROW])[0, 1]) for number in range(1, 10)}
        self.answers: list[tuple[float, float, int]] = []  # when, how long it took, the release's number
        self.failures: list[str] = []

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask(number) for number in range(self._connections)))

    async def _ask(self, number: int) -> None:
        keys = random.Random(number)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            while not self._stop:
                began = time.monotonic()
                writer.write(request(keys.randrange(KEYS)))
                head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = json.loads(await reader.readexactly(length))
                now = time.monotonic()
                release = answer.get("release", "")
                named = head.split(b"x-release: ")[1].split(b"\r\n")[0].decode() if b"x-release: " in head else ""
                answered_by = int(release.partition("@")[2] or 0)
                got = answer["predictions"][0]["probabilities"][">50K"] if answered_by else None
                right = got is not None and abs(got - self._right[answered_by]) < 1e-9
                if not (head.startswith(b"http/1.1 200") and release == named and right):
                    self.failures.append(f"{head!r} {answer}")
                self.answers.append((now, now - began, answered_by))
                await asyncio.sleep(self._pause)  # the machine has other work, too
            writer.close()
            await writer.wait_closed()
        except Exception as error:
            self.failures.append(repr(error))
