"""What the spool holds of predictions: frames that begin with `R` describe a release, those with `P` an answer.

Each spool file describes a release before its first answer, so that whoever reads the file needs nothing else.
An answer's frame is a head of fixed width, then the release, the request's id and the arm as text, the outputs as
float64 (little-endian, row by row), and the request's rows as JSON, in the native form.

Imports nothing heavy: gateway workers write what the drainer reads.
"""

import re
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from sys import byteorder

import msgspec

from mainspring.domain.prediction_log import Role
from mainspring.domain.release import InputField, Manifest, OutputSpec
from mainspring.domain.schema import Personal

RELEASE, PREDICTION = b"R", b"P"
# Kind, time (µs since the epoch, UTC), latency (µs), rows, outputs of a row, role, lengths of the three texts.
_HEAD = struct.Struct("<cqIIHBBBB")
_REF = re.compile(r"([a-z][a-z0-9_-]{0,62})@([1-9]\d{0,8})")
_LONGEST_LATENCY = 2**31 - 1
# For ever: leftovers of an older version are read by a newer one.
_ROLES = {Role.CHAMPION: 0, Role.CANARY: 1, Role.ARM: 2, Role.PINNED: 3, Role.SHADOW: 4}
_ROLE_OF = {code: role for role, code in _ROLES.items()}


class DamagedFrame(Exception):
    """A frame that is whole, but says nothing that makes sense."""


class Description(msgspec.Struct, frozen=True):
    """What a reader needs to know of a release.

    Attributes:
        ref: e.g. `adult@3`.
        inputs: what the log keeps of a row (`Manifest.logged`), without vocabularies and documentation.
    """

    ref: str
    model: str
    number: int
    inputs: tuple[InputField, ...]
    output: OutputSpec
    key: str | None = None
    key_personal: Personal | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> "Description":
        inputs = tuple(
            replace(field, vocabulary=None, categories=None, minimum=None, maximum=None, description="")
            for field in manifest.logged
        )
        output, key, tag = manifest.output, manifest.key, manifest.key_personal
        return cls(str(manifest.ref), manifest.model, manifest.number, inputs, output, key, tag)


def description_frame(description: Description) -> bytes:
    return RELEASE + msgspec.msgpack.encode(description)


def read_description(frame: bytes) -> Description:
    """Raises `DamagedFrame`."""
    try:
        found = msgspec.msgpack.decode(frame[1:], type=Description)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DamagedFrame(f"a release is not described: {error}") from error
    named = _REF.fullmatch(found.ref)  # it names the table
    if named is None or (named[1], int(named[2])) != (found.model, found.number):
        raise DamagedFrame("a release is described that has no sane name")
    return found


def prediction_frame(
    at: int,
    release: bytes,
    request_id: str,
    role: Role,
    arm: str,
    latency: int,
    outputs: Sequence[Sequence[float]],
    rows: bytes,
    packed: bytes | None = None,
) -> bytes:
    """One request's answer.

    Args:
        at: microseconds since the epoch, UTC.
        release: e.g. `adult@3`.
        latency: microseconds.
        packed: the outputs as float64, in the order of this machine's bytes, where they are at hand so.
        rows: JSON, in one of the native protocol's forms.
    """
    name, group = request_id.encode(), arm.encode()
    width = len(outputs[0])
    if packed is None or byteorder != "little":
        values = array("d", outputs[0] if len(outputs) == 1 else [value for row in outputs for value in row])
        if byteorder != "little":
            values.byteswap()
        packed = values.tobytes()
    head = _HEAD.pack(
        PREDICTION,
        at,
        latency if latency < _LONGEST_LATENCY else _LONGEST_LATENCY,
        len(outputs),
        width,
        _ROLES[role],
        len(release),
        len(name),
        len(group),
    )
    return b"".join((head, release, name, group, packed, rows))


@dataclass(frozen=True, slots=True)
class Prediction:
    """A frame, taken apart; the outputs and the rows are still bytes."""

    at: int
    latency: int
    count: int
    width: int
    role: Role
    release: str
    request_id: str
    arm: str
    outputs: bytes
    rows: bytes


def head_of(frame: bytes) -> tuple[str, int]:
    """The release that answered, and how many rows. Raises `DamagedFrame`."""
    if len(frame) < _HEAD.size:
        raise DamagedFrame("an answer is cut short")
    _, _, _, count, width, _, length, *_ = _HEAD.unpack_from(frame)
    if count * width * 8 > len(frame):
        raise DamagedFrame("an answer has fewer outputs than it says")
    return _text(frame[_HEAD.size : _HEAD.size + length]), count


def read_prediction(frame: bytes) -> Prediction:
    """Raises `DamagedFrame`."""
    if len(frame) < _HEAD.size:
        raise DamagedFrame("an answer is cut short")
    _, at, latency, count, width, role, release, name, arm = _HEAD.unpack_from(frame)
    ends = [_HEAD.size]
    for length in (release, name, arm, count * width * 8):
        ends.append(ends[-1] + length)
    if role not in _ROLE_OF or ends[-1] > len(frame) or not count or not width:
        raise DamagedFrame("an answer is not what it says")
    return Prediction(
        at,
        latency,
        count,
        width,
        _ROLE_OF[role],
        _text(frame[ends[0] : ends[1]]),
        _text(frame[ends[1] : ends[2]]),
        _text(frame[ends[2] : ends[3]]),
        frame[ends[3] : ends[4]],
        frame[ends[4] :],
    )


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise DamagedFrame("a name is no text") from None
