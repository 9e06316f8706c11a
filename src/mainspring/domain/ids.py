"""Identifiers: UUIDv7 for things that happen, SHA-256 for things that are what they contain."""

import hashlib
import json
import os
from typing import Any

from mainspring.clock import SYSTEM_CLOCK, Clock, milliseconds

_RANDOM: list[str] = []  # 20 hexadecimal digits each: read from the system for many ids at once
_AT_ONCE = 256


def uuid7(clock: Clock = SYSTEM_CLOCK) -> str:
    """A time-ordered unique id (RFC 9562, section 5.7).

    Examples:
        >>> import uuid
        >>> uuid.UUID(uuid7()).version
        7
    """
    try:
        digits = _RANDOM.pop()  # in one step, whatever other threads do
    except IndexError:
        fresh = os.urandom(10 * _AT_ONCE).hex()
        _RANDOM.extend(fresh[start : start + 20] for start in range(20, len(fresh), 20))
        digits = fresh[:20]
    time = f"{milliseconds(clock) & 0xFFFF_FFFF_FFFF:012x}"
    return f"{time[:8]}-{time[8:]}-7{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
os.register_at_fork(after_in_child=_RANDOM.clear)  # two processes must not give out the same ids


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
