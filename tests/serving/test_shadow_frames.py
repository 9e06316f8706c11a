"""Frames that were cut off, damaged or come in pieces: what is whole is found, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from mainspring.serving.shadow_frames import FrameReader, Sighting, frame

sightings = st.builds(
    Sighting,
    model=st.text(max_size=10),
    numbers=st.lists(st.integers(1, 99), max_size=3).map(tuple),
    request_id=st.text(max_size=10),
    rows=st.text(max_size=100).map(str.encode),  # JSON, and so UTF-8, in which the mark cannot stand
)


@given(wanted=st.lists(sightings, max_size=6), sizes=st.lists(st.integers(1, 90), min_size=1, max_size=200))
def test_whatever_the_pieces_all_frames_are_found(wanted: list[Sighting], sizes: list[int]) -> None:
    stream = b"".join(map(frame, wanted))
    reader, found, place = FrameReader(), [], 0
    for size in sizes * (len(stream) // sum(sizes) + 1):
        found += reader.read(stream[place : place + size])
        place += size
    assert found == wanted
    assert (reader.damaged, reader.waiting) == (0, 0)


@given(
    before=sightings, cut=st.floats(0, 1), after=st.lists(sightings, min_size=1, max_size=3), damage=st.binary()
)
def test_after_a_frame_that_was_cut_off_the_next_ones_are_found(
    before: Sighting, cut: float, after: list[Sighting], damage: bytes
) -> None:
    whole = frame(before)
    torn = whole[: int(cut * (len(whole) - 1))] + damage
    reader = FrameReader()
    found = list(reader.read(torn + b"".join(map(frame, after)) + bytes(300)))
    assert found in (after, [before, *after])  # what was cut off may have been mended by chance


@given(content=st.binary(max_size=2000))
def test_what_is_no_frame_is_passed_over(content: bytes) -> None:
    reader = FrameReader()
    assert list(reader.read(content)) == []
    assert reader.waiting < 16 or b"\xf5shadow\xff" in content


def test_a_length_that_nobody_sends_is_no_frame() -> None:
    whole = bytearray(frame(Sighting("a", (1,), "r", b"[]")))
    whole[8:12] = (2**31).to_bytes(4, "little")
    reader = FrameReader()
    assert list(reader.read(bytes(whole))) == []
    assert reader.waiting < 16
