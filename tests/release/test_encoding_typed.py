"""The quick way takes nothing that the careful way refuses, and gives the same numbers."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import MalformedRequest
from mainspring.release.encoding import Encoder
from mainspring.release.encoding_typed import TypedRows
from mainspring.serving.protocols.body import decode_json, rows_of

FIELDS = (
    InputField("score", Kind.NUMBER),
    InputField("must", Kind.NUMBER, required=True),
    InputField("age", Kind.INTEGER, missing=("?", ""), strip=True),
    InputField("member", Kind.BOOLEAN, true=("yes", "1"), false=("no", "0")),
    InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"), missing=("?",), strip=True),
    InputField("shop", Kind.CATEGORY, vocabulary=("a",), missing=("-",), required=True),
    InputField("at", Kind.TIME),
    InputField("seen", Kind.TIME, time_format="epoch_s", required=True),
    InputField('note é"\\', Kind.TEXT, vocabulary=("", "hello")),
)
GOOD = {
    "score": 1.5,
    "must": 2,
    "age": 31,
    "member": True,
    "job": "pilot",
    "shop": "a",
    "at": "2026-01-31T09:00:00Z",
    "seen": 12.5,
    'note é"\\': "hello",
}
ENCODER = Encoder(FIELDS, ignored=("order",))
# The name of a field may hold what no type of msgspec takes as a name.
NAMED = (*FIELDS[:-1], InputField("note é", Kind.TEXT, vocabulary=("", "hello")))
TYPED = TypedRows(NAMED, key="order")
CAREFUL = Encoder(NAMED, ignored=("order",))
ROW = {("note é" if name.startswith("note") else name): value for name, value in GOOD.items()}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "?", " ? ", "-", "clerk", " pilot", "yes", "1", "2026-01-31", "hello", "\x00", "é"]),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
)


def quickly(body: bytes) -> np.ndarray | None:
    rows = TYPED.decode(body)
    return None if rows is None or not rows else TYPED.matrix(rows)


def same(body: bytes) -> bool:
    """Whether the quick way took the body, having compared it with the careful one."""
    found = quickly(body)
    if found is None:
        return False
    wanted = CAREFUL.rows_to_matrix(rows_of(decode_json(body)))
    assert found.tobytes() == wanted.tobytes()
    return True


def test_right_rows_are_taken() -> None:
    assert same(json.dumps(ROW).encode())
    assert same(json.dumps([ROW] * 20).encode())
    assert same(json.dumps({**ROW, "order": "web-1"}).encode())
    nothing = {**dict.fromkeys(ROW), "must": 0, "shop": "b", "seen": -1}
    assert same(json.dumps([nothing, ROW]).encode())


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*ROW, "order", "other"]), VALUES, max_size=4).map(
            lambda odd: {**ROW, **odd}
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_whatever_is_taken_is_what_the_careful_way_reads(rows: list[dict[str, object]], alone: bool) -> None:
    same(json.dumps(rows[0] if alone else rows).encode())


@pytest.mark.parametrize(
    "number",
    ["1e999", "-1e999", "1E2", "-0", "-0.0", "1.0", "9" * 30, "9" * 400, "5e-324", "1e-400", "NaN", "01", "1_0"],
)
@pytest.mark.parametrize("name", ["score", "age", "seen", "order"])
def test_odd_numbers(name: str, number: str) -> None:
    body = json.dumps({**ROW, name: "@"}).replace('"@"', number).encode()
    try:
        same(body)
    except MalformedRequest:
        pytest.fail("the quick way took what is no JSON")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"3",
        b"[3]",
        b"[[]]",
        b"{}",
        b'{"rows": []}',
        b"\xff",
        b'{"score": "\xff"}',
        b"[" * 100_000,
        b'{"score":' * 2_000,
        json.dumps(ROW).encode() + b"x",
        json.dumps(ROW).encode()[:-1] + b', "other": 1}',
        json.dumps({"rows": [ROW]}).encode(),
    ],
)
def test_what_needs_care_is_left_to_it(body: bytes) -> None:
    assert quickly(body) is None


def test_of_a_key_that_comes_twice_the_last_value_counts() -> None:
    assert same(json.dumps(ROW).encode()[:-1] + b', "score": 7, "job": "clerk"}')


def test_names_that_no_type_can_have_are_refused() -> None:
    with pytest.raises(ValueError, match="note"):
        TypedRows(FIELDS)
    assert ENCODER.rows_to_matrix([GOOD]).shape == (1, len(FIELDS))
