"""How rows that are pushed to a view lie in the spool: one record for each request, whole or not at all."""

from datetime import datetime

import msgspec

from mainspring.domain.schema import Kind

PUSH = b"V"


class PushRecord(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one request.

    Attributes:
        at: when they were received, UTC.
        columns: the source's, in their order, with their kinds.
        created: the one that says when a row became known.
        ids: of the rows.
        rows: a value for each column, `None` where missing; times in microseconds since the epoch.
    """

    view: str
    at: datetime
    columns: tuple[tuple[str, Kind], ...]
    created: str | None
    ids: tuple[str, ...]
    rows: tuple[tuple[int | float | bool | str | None, ...], ...]


def encode_push(record: PushRecord) -> bytes:
    """The payload of a spool, its kind first."""
    return PUSH + msgspec.msgpack.encode(record)


def decode_push(payload: bytes) -> PushRecord:
    """Raises `msgspec.DecodeError` where this is no such record of this version."""
    return _DECODER.decode(memoryview(payload)[len(PUSH) :])


_DECODER = msgspec.msgpack.Decoder(PushRecord)
