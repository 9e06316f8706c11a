"""A vector gives back at each moment what went into it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.aggregation import AggregateFunction
from mainspring.domain.schema import Kind
from mainspring.errors import StoreError
from mainspring.features.keys import iso_time
from mainspring.features.stairs import Window, build_stairs
from mainspring.features.vectors import FeatureSlot, Outcome, VectorCodec, VectorLayout

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000

values = st.tuples(
    st.none() | st.floats(allow_nan=False),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    st.none() | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
)
KINDS = (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TIME)


def layout(*defaults: object, ttl: int | None = None) -> VectorLayout:
    given = defaults or (None,) * len(KINDS)
    slots = (FeatureSlot(f"f{place}", kind, given[place]) for place, kind in enumerate(KINDS))
    return VectorLayout("ads", tuple(slots), ttl)


@given(values, st.integers(-(2**62), 2**62))
def test_what_went_in_comes_out(row, at) -> None:
    codec = VectorCodec(layout())
    vector = codec.encode(row, at)
    outcome, found = codec.read(vector, at)
    assert outcome is Outcome.FOUND
    assert [*found[:4]] == [*row[:4]]
    assert list(map(type, found[:4])) == list(map(type, row[:4]))
    assert found[4] == (None if row[4] is None else iso_time(row[4]))
    assert codec.event_time(vector) == at


@given(values)
def test_a_default_stands_for_what_is_missing_only(row) -> None:
    defaults = (0.5, 7, True, "none", "1970-01-01T00:00:00Z")
    codec = VectorCodec(layout(*defaults))
    _, found = codec.read(codec.encode(row, 0), 0)
    for value, default, got in zip(row[:4], defaults, found, strict=False):
        assert got == (default if value is None else value)
    assert codec.absent == defaults
    assert codec.read(None, 0) == (Outcome.MISSING, defaults)


@given(st.lists(values, max_size=5), st.integers(0, 10**15))
def test_many_at_once_are_each_one(rows, at) -> None:
    codec = VectorCodec(layout())
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(KINDS)
    assert codec.encode_all(columns, [at] * len(rows)) == [codec.encode(row, at) for row in rows]


def test_a_row_counts_until_its_ttl_and_not_a_microsecond_longer() -> None:
    codec = VectorCodec(layout(0.5, 7, True, "none", None, ttl=HOUR))
    vector = codec.encode([1.5, 1, False, "a", 0], NOW)
    assert codec.read(vector, NOW + HOUR) == (
        Outcome.FOUND,
        [1.5, 1, False, "a", "1970-01-01T00:00:00.000000Z"],
    )
    assert codec.read(vector, NOW + HOUR + 1) == (Outcome.EXPIRED, [0.5, 7, True, "none", None])


def test_a_clock_that_is_behind_takes_the_vector_as_it_is() -> None:
    codec = VectorCodec(layout(ttl=HOUR))
    assert codec.read(codec.encode([1.5, 1, False, "a", None], NOW), NOW - 5)[0] is Outcome.FOUND


def test_windows_move_on_and_the_ttl_does_not_touch_them() -> None:
    count = Window(AggregateFunction.COUNT, HOUR, HOUR // 60)
    mean = Window(AggregateFunction.MEAN, 2 * HOUR, HOUR // 60)
    codec = VectorCodec(
        VectorLayout(
            "visitor",
            (
                FeatureSlot("device", Kind.CATEGORY),
                FeatureSlot("visits", Kind.INTEGER, default=99, window=count),
                FeatureSlot("spent", Kind.NUMBER, default=-1.0, window=mean),
            ),
            ttl=HOUR // 2,
        )
    )
    starts, times, amounts = (
        np.array([0, 3]),
        NOW - np.array([3_000, 60, 0]) * 1_000_000,
        np.array([1.0, 2.0, 6.0]),
    )
    stairs = [build_stairs(window, starts, times, amounts, NOW)[0] for window in (count, mean)]
    vector = codec.encode(["phone", *stairs], NOW)
    assert codec.read(vector, NOW) == (Outcome.FOUND, ["phone", 3, 3.0])
    assert codec.read(vector, NOW + HOUR // 2 + 1) == (Outcome.EXPIRED, [None, 2, 3.0])
    assert codec.read(vector, NOW + HOUR + HOUR // 2) == (Outcome.EXPIRED, [None, 0, 4.0])
    assert codec.read(vector, NOW + 4 * HOUR) == (Outcome.EXPIRED, [None, 0, -1.0])
    assert codec.absent == (None, 0, -1.0)
    assert codec.read(codec.encode(["phone", None, None], NOW), NOW)[1] == ["phone", 0, -1.0]


def test_a_view_of_windows_only_does_not_expire() -> None:
    window = Window(AggregateFunction.COUNT, HOUR, HOUR // 60)
    codec = VectorCodec(VectorLayout("v", (FeatureSlot("n", Kind.INTEGER, window=window),), ttl=1))
    assert codec.read(codec.encode([(0, [0], [3])], 0), 10 * HOUR) == (Outcome.FOUND, [0])


@pytest.mark.parametrize(
    "damage",
    [
        lambda vector: b"",
        lambda vector: vector[:-1],
        lambda vector: vector + b"\x00",
        lambda vector: b"\x80",
        lambda vector: b"\x90",
        lambda vector: b"\x91\x01",
        lambda vector: b"\xc1" + vector[1:],
        lambda vector: vector.replace(b"phone", b"\xff" * 5),
    ],
)
def test_damaged_bytes_are_named(damage) -> None:
    codec = VectorCodec(layout(ttl=HOUR))
    vector = codec.encode([1.5, 1, False, "phone", None], NOW)
    with pytest.raises(StoreError, match=r"view 'ads' is damaged.*materialize ads"):
        codec.read(damage(vector), NOW)
