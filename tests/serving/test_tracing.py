"""W3C trace context, by the examples and the rules of the specification."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.serving.tracing import Trace, read_trace

from .conftest import ROW, Running

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


def read(*parents: str, state: tuple[str, ...] = ()) -> Trace | None:
    headers = [(b"traceparent", parent.encode("latin-1")) for parent in parents]
    return read_trace([*headers, *((b"tracestate", one.encode("latin-1")) for one in state)])


@pytest.mark.parametrize(
    ("parent", "flags"),
    [
        (GOOD, "01"),  # the specification's own
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"00-{TRACE}-{PARENT}-03", "03"),
        (f"  {GOOD}\t", "01"),
        (f"01-{TRACE}-{PARENT}-01", "01"),  # of a later version
        (f"cc-{TRACE}-{PARENT}-ff-what-the-future-will-be-like", "01"),
        (f"cc-{TRACE}-{PARENT}-08", "00"),  # of which we know one flag
        (f"cc-{TRACE}-{PARENT}-01-", "01"),
    ],
)
def test_what_is_valid(parent: str, flags: str) -> None:
    assert read(parent) == Trace(TRACE, PARENT, flags)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        f"00-{'0' * 32}-{PARENT}-01",  # no trace
        f"00-{TRACE}-{'0' * 16}-01",  # no span
        f"ff-{TRACE}-{PARENT}-01",  # a version that is none
        f"00-{TRACE}-{PARENT}-01-what-the-future-will-be-like",  # of version 00
        f"00-{TRACE}-{PARENT}-01.",
        f"cc-{TRACE}-{PARENT}-01.what-the-future-will-not-be-like",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE[:-1]}.-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-.1",
        f"0-{TRACE}-{PARENT}-01",
        f".0-{TRACE}-{PARENT}-01",
        f"{GOOD},{GOOD}",
        GOOD.replace("-", "_"),
    ],
)
def test_what_is_not_valid_is_as_if_it_were_not_there(parent: str) -> None:
    assert read(parent) is None


def test_two_parents_are_none() -> None:
    assert read(GOOD, GOOD) is None
    assert read() is None


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (("rojo=1", "congo=2"), "rojo=1,congo=2"),
        (("  rojo=1 ,\tcongo=2,,",), "rojo=1,congo=2"),
        (("fw529a3039@dt=FfffffffffF",), "fw529a3039@dt=FfffffffffF"),
        (("0tenant@vendor=1,a-b_c*d/e= x !",), "0tenant@vendor=1,a-b_c*d/e= x !"),
        (("",), ""),
        (("rojo=1,rojo=2",), ""),
        (("Rojo=1",), ""),
        (("0rojo=1",), ""),
        (("rojo",), ""),
        (("rojo=",), ""),
        (("rojo=a=b",), ""),
        (("rojo=é",), ""),
        (("rojo@=1",), ""),
        (("a@b@c=1",), ""),
        (("rojo=" + "x" * 257,), ""),
        ((",".join(f"k{n}=1" for n in range(32)),), ",".join(f"k{n}=1" for n in range(32))),
        ((",".join(f"k{n}=1" for n in range(33)),), ""),
    ],
)
def test_the_state_is_kept_as_it_is_or_dropped(state: tuple[str, ...], kept: str) -> None:
    trace = read(GOOD, state=state)
    assert trace is not None
    assert trace.state == kept


def test_without_a_parent_the_state_says_nothing() -> None:
    assert read_trace([(b"tracestate", b"rojo=1")]) is None


def test_the_answer_has_a_span_of_its_own() -> None:
    trace = read(GOOD, state=("rojo=1",))
    assert trace is not None
    spans = set()
    for _ in range(50):
        (name, parent), state = trace.headers()
        assert (name, state) == (b"traceparent", (b"tracestate", b"rojo=1"))
        again = read_trace([(name, parent)])
        assert again is not None
        assert (again.trace_id, again.flags) == (TRACE, "01")
        spans.add(again.parent_id)
    assert len(spans) == 50
    assert PARENT not in spans


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_break_it(parent: bytes, state: bytes) -> None:
    assert read_trace([(b"traceparent", parent), (b"tracestate", state)]) is None
    trace = read_trace([(b"traceparent", GOOD.encode()), (b"tracestate", state)])
    assert trace is not None
    assert re.fullmatch(r"[\x20-\x7e]*", trace.state)


def test_over_http(gateway: Running) -> None:
    sent = {"traceparent": GOOD, "tracestate": "rojo=1"}
    for path, status in (("/predict/adult", 200), ("/predict/nosuch", 404), ("/nosuch", 404)):
        found, headers, _ = gateway.request("POST", path, ROW, sent)
        assert found == status
        assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", headers["traceparent"])
        assert PARENT not in headers["traceparent"]
        assert headers["tracestate"] == "rojo=1"
    for headers in ({}, {"traceparent": "nonsense", "tracestate": "rojo=1"}, {"tracestate": "rojo=1"}):
        _, answer, _ = gateway.request("POST", "/predict/adult", ROW, headers)
        assert not {"traceparent", "tracestate"} & answer.keys()
