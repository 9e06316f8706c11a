"""The messages between a native runtime and its process: a length, then MessagePack.

A message to the process is `Start`, then any number of `Ask`; the process answers each with one `Answer`.
"""

import socket
import struct
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

_LENGTH = struct.Struct(">Q")
GREATEST = 4_000_000_000  # bytes of a message; MessagePack ends at 4 GB a value

Message = TypeVar("Message", bound=msgspec.Struct)


class Start(msgspec.Struct):
    """The estimator's files, as verified; the fields as JSON; what it predicts."""

    files: dict[str, bytes]
    fields: bytes
    task: str
    classes: list[str]


class Ask(msgspec.Struct):
    """Rows by column: the bytes of float64 values, or texts with None where missing."""

    columns: dict[str, bytes | list[str | None]]


class Answer(msgspec.Struct):
    """Outputs as the bytes of float64 [rows, width]; or what went wrong."""

    outputs: bytes = b""
    width: int = 1
    problem: str = ""
    cure: str = ""

    def matrix(self) -> npt.NDArray[np.float64]:
        return np.frombuffer(self.outputs).reshape(-1, self.width)


def send(channel: socket.socket, message: msgspec.Struct) -> None:
    """Raises OSError (TimeoutError among them) if the other end is gone or does not take it in time."""
    content = msgspec.msgpack.encode(message)
    channel.sendall(_LENGTH.pack(len(content)) + content)


def receive(channel: socket.socket, kind: type[Message]) -> Message:
    """The next message. Raises EOFError when the other end is gone, OSError or `msgspec` errors otherwise."""
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if length > GREATEST:
        raise EOFError("a message of an impossible length")
    return msgspec.msgpack.decode(_exactly(channel, length), type=kind)


def _exactly(channel: socket.socket, count: int) -> bytearray:
    content = bytearray(count)
    view: Any = memoryview(content)
    while view:
        got = channel.recv_into(view)
        if not got:
            raise EOFError("the other end is gone")
        view = view[got:]
    return content
