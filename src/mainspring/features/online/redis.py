"""Online features in a Redis server, for gateways on several machines.

Each view is one hash, `mainspring:features:VIEW`, of its vectors and of what is known about it: so all of it goes
together, by a flush, an eviction or a restart from an older copy, and no mark stands for vectors that are gone.
Every workspace needs a database of its own (`redis://host:6379/3`).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mainspring.domain.ids import uuid7
from mainspring.domain.ports_features import EntityKey, Vector, ViewId
from mainspring.errors import SettingsError, StoreError
from mainspring.features.online.fencing import emptied, overtaken
from mainspring.features.online.redis_errors import named

if TYPE_CHECKING:
    import redis

# A call of a script takes so many vectors (Lua's stack holds 8,000 values), and a round trip so many calls.
_BATCH = 1_000
_CALLS = 10
_PREFIX = b":"  # of entities, so that none of them is one of the names below
_FENCE, _EPOCH, _MARK = b"fence", b"epoch", b"mark"

# ARGV: fence, the epoch that we know or nothing, the epoch of a new view, then the command and its fields.
_WRITE = b"""
local key, fence, known = KEYS[1], ARGV[1], ARGV[2]
local there = redis.call('HMGET', key, 'fence', 'epoch')
if there[1] and tonumber(fence) < tonumber(there[1]) then return 'overtaken' end
if known ~= '' and known ~= there[2] then return 'emptied' end
local epoch = there[2] or ARGV[3]
redis.call('HSET', key, 'fence', fence, 'epoch', epoch)
if ARGV[4] then redis.call(ARGV[4], key, unpack(ARGV, 5)) end
return epoch
"""

_T = TypeVar("_T")


class RedisStore:
    """Keeps the law of `OnlineStore` as durably as the server is set up to.

    Args:
        timeout: seconds that connecting and each answer may take.

    Raises:
        SettingsError: a URL that does not make sense.
        StoreError: the client is not installed.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._server = _client(url, timeout)
        self._timeout = timeout
        self._epochs: dict[ViewId, bytes] = {}
        self._idle: list[Any] = []  # connections that reads have used

    def read(self, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]) -> list[list[Vector | None]]:
        calls = [(b"HMGET", _name(view), *map(_PREFIX.__add__, keys)) for view, keys in asked if keys]
        answers = iter(self._read(calls))
        return [next(answers) if keys else [] for _, keys in asked]

    def write(self, view: ViewId, vectors: Iterable[tuple[EntityKey, Vector]], *, fence: int) -> int:
        written = 0
        for batches in _batched(_batched(vectors, _BATCH), _CALLS):
            calls = [
                [part for key, vector in batch for part in (_PREFIX + key, vector)]  # name, value, name, value …
                for batch in batches
            ]
            self._change(view, fence, b"HSET", calls)
            written += sum(map(len, batches))
        return written

    def remove(self, view: ViewId, keys: Iterable[EntityKey], *, fence: int) -> None:
        for batches in _batched(_batched(keys, _BATCH), _CALLS):
            self._change(view, fence, b"HDEL", [[_PREFIX + key for key in batch] for batch in batches])

    def drop(self, view: ViewId) -> None:
        self._ask([(b"UNLINK", _name(view))])
        self._epochs.pop(view, None)

    def count(self, view: ViewId) -> int:
        fields, known = self._ask(
            [(b"HLEN", _name(view)), (b"HMGET", _name(view), _FENCE, _EPOCH, _MARK)], at_once=True
        )
        return int(fields) - sum(value is not None for value in known)

    def mark(self, view: ViewId, mark: bytes, *, fence: int) -> None:
        self._change(view, fence, b"HSET", [[_MARK, mark]])

    def marked(self, view: ViewId) -> bytes | None:
        ((epoch, mark),) = self._ask([(b"HMGET", _name(view), _EPOCH, _MARK)])
        if epoch is None:
            self._epochs.pop(view, None)
        else:
            self._epochs[view] = epoch
        found: bytes | None = mark
        return found

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()
        self._server.close()

    def _change(self, view: ViewId, fence: int, command: bytes, calls: Sequence[Sequence[bytes]]) -> None:
        if view not in self._epochs:  # learnt first: what follows must all go to the same view
            self._epochs[view] = self._admitted(view, self._ask([self._script(view, fence)]))
        self._admitted(view, self._ask([self._script(view, fence, command, *fields) for fields in calls]))

    def _script(self, view: ViewId, fence: int, *command: bytes) -> tuple[bytes, ...]:
        known = self._epochs.get(view, b"")
        return (b"EVAL", _WRITE, b"1", _name(view), b"%d" % fence, known, uuid7().encode(), *command)

    def _admitted(self, view: ViewId, answers: Sequence[bytes]) -> bytes:
        if b"overtaken" in answers:
            raise overtaken(view)
        if b"emptied" in answers:
            raise emptied(view)
        return answers[0]

    def _read(self, calls: Sequence[tuple[bytes, ...]]) -> list[Any]:
        """One round trip, for which the client's own pipeline and pool take twice as long."""
        import redis

        if not calls:
            return []
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._server.connection_pool.make_connection()
        try:
            connection.send_packed_command(connection.pack_commands(calls), check_health=False)
            answers = [connection.read_response() for _ in calls]
        except BaseException as error:
            connection.disconnect()  # what may still come over it is nobody's answer
            if isinstance(error, redis.ConnectionError):  # the server has closed it since
                return self._ask(calls)
            if isinstance(error, redis.RedisError | OSError):
                raise named(error, self._timeout) from error
            raise
        self._idle.append(connection)
        return answers

    def _ask(self, calls: Sequence[tuple[bytes, ...]], *, at_once: bool = False) -> list[Any]:
        """One round trip; `at_once` lets no other change come in between."""
        import redis

        if not calls:
            return []
        pipeline = self._server.pipeline(transaction=at_once)
        for call in calls:
            pipeline.execute_command(*call)  # type: ignore[no-untyped-call]
        try:
            answers = pipeline.execute(raise_on_error=False)  # or the error would hold the command
        except (redis.RedisError, OSError) as error:
            raise named(error, self._timeout) from error
        for answer in answers:
            if isinstance(answer, redis.RedisError):
                raise named(answer, self._timeout) from answer
        return answers


def _client(url: str, timeout: float) -> "redis.Redis":
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise StoreError(
            "features.url names a Redis server, and its client is not installed",
            cure="pip install 'mainspring[redis]'",
            where={"key": "features.url"},
        ) from error
    try:
        server = redis.Redis.from_url(
            url,
            protocol=2,  # which every server speaks
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # A connection that the server has closed since is opened again at once; what takes too long is not
            # tried again, or it would take twice as long.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        server.connection_pool.make_connection()  # opens nothing, but says what is wrong with the URL
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"features.url is no URL of a Redis server: {error}",
            cure="write e.g. redis://host:6379/0, or unix:///run/redis.sock?db=0",
            where={"key": "features.url"},
        ) from error
    return server


def _name(view: ViewId) -> bytes:
    return b"mainspring:features:" + view.encode()


def _batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
