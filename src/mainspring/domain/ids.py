"""Identifiers: UUIDv7 for things that happen, SHA-256 for things that are what they contain."""

import hashlib
import json
import os
from typing import Any

from mainspring.clock import SYSTEM_CLOCK, Clock


def uuid7(clock: Clock = SYSTEM_CLOCK) -> str:
    """A time-ordered unique id (RFC 9562, section 5.7).

    Examples:
        >>> import uuid
        >>> uuid.UUID(uuid7()).version
        7
    """
    milliseconds = int(clock.now().timestamp() * 1000)
    random_bits = int.from_bytes(os.urandom(10), "big")  # 80, of which 74 are used
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (random_bits >> 68) << 64
    value |= 0b10 << 62
    value |= random_bits & ((1 << 62) - 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def digest_bytes(content: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: Any) -> bytes:
    """The same bytes for the same value: sorted keys, no blanks, UTF-8, no NaN.

    Examples:
        >>> canonical_json({"b": 1, "a": [True, None]})
        b'{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys."""
    return digest_bytes(canonical_json(value))
