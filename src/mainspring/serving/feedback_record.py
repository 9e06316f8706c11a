"""How messages of feedback lie in the spool: one record for each request, whole or not at all."""

from datetime import datetime

import msgspec

from mainspring.domain.feedback import Message

KIND = b"F"


class FeedbackRecord(msgspec.Struct, frozen=True, array_like=True):
    """The messages of one request.

    Attributes:
        at: when they were received, UTC.
    """

    model: str
    at: datetime
    messages: tuple[Message, ...]


def encode_feedback(record: FeedbackRecord) -> bytes:
    """The payload of a spool, its kind first."""
    return KIND + msgspec.msgpack.encode(record)


def decode_feedback(payload: bytes) -> FeedbackRecord:
    """Raises `msgspec.DecodeError` where this is no such record of this version."""
    return _DECODER.decode(memoryview(payload)[len(KIND) :])


_DECODER = msgspec.msgpack.Decoder(FeedbackRecord)
