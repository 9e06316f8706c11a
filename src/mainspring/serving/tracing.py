"""W3C trace context (https://www.w3.org/TR/trace-context/): read, checked, and passed on.

A caller's `traceparent` names the trace that its request belongs to; the trace's id is logged, and the answer
carries it with a span of its own. Where a caller sends none, or none that is valid, none is made.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY = r"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MEMBERS = 32
_LONGEST_STATE = 4096


@dataclass(frozen=True, slots=True)
class Trace:
    """Where in which trace a request stands.

    Attributes:
        trace_id: 32 hexadecimal digits.
        parent_id: the caller's span, 16 hexadecimal digits.
        flags: 2 hexadecimal digits; of an unknown version, only whether it is sampled.
        state: the vendors' own members; empty where there are none, or any is not valid.
    """

    trace_id: str
    parent_id: str
    flags: str
    state: str = ""

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For the answer: the same trace, and a new span in it."""
        span = os.urandom(8)
        while not any(span):
            span = os.urandom(8)
        parent = (b"traceparent", f"00-{self.trace_id}-{span.hex()}-{self.flags}".encode())
        return (parent, (b"tracestate", self.state.encode())) if self.state else (parent,)


def read_trace(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """The trace that the headers name; `None` where they name none that is valid.

    Args:
        headers: as they came, with lower-case names; a header may come twice.

    Examples:
        >>> trace = read_trace([(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")])
        >>> trace.trace_id, trace.parent_id, trace.flags
        ('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', '01')
    """
    parents, states = [], []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"tracestate":
            states.append(value)
    if len(parents) != 1:
        return None
    found = _PARENT.fullmatch(parents[0].strip(b" \t"))
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace_id.strip(b"0") or not parent_id.strip(b"0"):
        return None
    known = flags.decode() if version == b"00" else f"{int(flags, 16) & 1:02x}"
    return Trace(trace_id.decode(), parent_id.decode(), known, _state(states))


def _state(values: list[bytes]) -> str:
    """All members in their order, or nothing where one is not valid or comes twice."""
    text = ",".join(value.decode("latin-1") for value in values)
    members = [member.strip(" \t") for member in text.split(",")]
    members = [member for member in members if member]
    if len(text) > _LONGEST_STATE or len(members) > _MEMBERS:
        return ""
    keys = set()
    for member in members:
        if not _MEMBER.fullmatch(member):
            return ""
        keys.add(member.partition("=")[0])
    return ",".join(members) if len(keys) == len(members) else ""
