"""What workers send to the shadow process: frames in a byte stream that either end may break off at any byte.

A worker may be killed in the middle of a frame, and so may the reader; whoever comes next finds the beginning of
the next frame by its mark. A frame is `mark, length, CRC-32, payload`, the payload one `Sighting` as MessagePack.
"""

import struct
from collections.abc import Iterator
from zlib import crc32

import msgspec

_MARK = b"\xf5shadow\xff"  # no JSON and no UTF-8 has these outer bytes
_HEAD = struct.Struct("<8sII")
LARGEST = 32 << 20  # bytes of a payload


class Sighting(msgspec.Struct, array_like=True, frozen=True):
    """A request that shadows are to see.

    Attributes:
        numbers: of the releases that see it.
        rows: as JSON, in a form of the native protocol.
    """

    model: str
    numbers: tuple[int, ...]
    request_id: str
    rows: bytes


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(Sighting)


def frame(sighting: Sighting) -> bytes:
    """The bytes of one frame."""
    payload = _ENCODE(sighting)
    return _HEAD.pack(_MARK, len(payload), crc32(payload)) + payload


class FrameReader:
    """Finds the frames in what has been received so far.

    Attributes:
        damaged: bytes that belonged to no whole frame.

    Examples:
        >>> reader = FrameReader()
        >>> whole = frame(Sighting("adclick", (4,), "r1", b"[]"))
        >>> [seen.request_id for seen in reader.read(whole[5:] + whole)]
        ['r1']
        >>> reader.damaged == len(whole) - 5
        True
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._received = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._received)

    def read(self, part: bytes) -> Iterator[Sighting]:
        """The sightings that are whole with this part."""
        received = self._received
        received += part
        place = 0
        try:
            while len(received) - place >= _HEAD.size:
                mark, length, check = _HEAD.unpack_from(received, place)
                if mark != _MARK or length > LARGEST:
                    place = self._skip(place)
                    continue
                end = place + _HEAD.size + length
                if end > len(received):
                    return
                payload = bytes(received[place + _HEAD.size : end])
                if crc32(payload) != check:
                    place = self._skip(place)
                    continue
                place = end
                try:
                    seen = _DECODER.decode(payload)
                except msgspec.DecodeError:  # of another version
                    self.damaged += _HEAD.size + length
                    continue
                yield seen
        finally:
            del received[:place]

    def _skip(self, place: int) -> int:
        """The next place where a frame may begin."""
        found = self._received.find(_MARK, place + 1)
        # The mark itself may be cut in two by the end of what has come.
        following = found if found >= 0 else max(place + 1, len(self._received) - len(_MARK) + 1)
        self.damaged += following - place
        return following
