"""Counts add up, survive a restart, and become Prometheus' text."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mainspring.serving.counts import LATENCY, Counts, Spread, decode_counts, encode_counts
from mainspring.serving.exposition import exposition
from mainspring.serving.meters import Meters


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_spreads_add_up(some: list[float], others: list[float]) -> None:
    one, two, both = Spread.empty(LATENCY), Spread.empty(LATENCY), Spread.empty(LATENCY)
    for value in some:
        one.add(value)
        both.add(value)
    for value in others:
        two.add(value)
        both.add(value)
    one.merge(two)
    assert one.counts == both.counts
    assert abs(one.total - both.total) < 1e-6
    assert one.cumulative()[-1] == ("+Inf", len(some) + len(others))
    for bound, number in one.cumulative()[:-1]:
        assert number == sum(value <= float(bound) for value in some + others)


def test_workers_are_counted_together_and_a_successor_goes_on(tmp_path: Path) -> None:
    first, second = Meters(tmp_path, 0), Meters(tmp_path, 1)
    for meters in (first, second):
        meters.answered("adult", "adult@1", 200, 0.003)
        meters.loaded("adult", refused=False)
        meters.taken()
        meters.write()
    first.batched(3)
    text = exposition(second.everything(), second.folder).decode()
    assert 'mainspring_requests_total{model="adult",release="adult@1",status="200"} 2.0' in text
    assert "mainspring_requests_in_flight 2.0" in text
    first.write()
    successor = Meters(tmp_path, 0)
    successor.answered("adult", "adult@1", 200, 0.003)
    text = exposition(successor.everything(), successor.folder).decode()
    assert 'mainspring_requests_total{model="adult",release="adult@1",status="200"} 3.0' in text
    assert 'mainspring_request_seconds_bucket{le="0.005",model="adult",release="adult@1"} 3.0' in text
    assert "mainspring_batch_rows_sum 3.0" in text
    assert "mainspring_requests_in_flight 1.0" in text, "what the dead one was answering is answered no more"


def test_a_broken_file_of_counts_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "7.counts").write_bytes(b"\xff\x00nonsense")
    assert b"mainspring_requests_in_flight" in exposition(Meters(tmp_path, 0).everything(), tmp_path)


def test_counts_come_back_as_they_were() -> None:
    counts = Counts(requests={("a", "a@1", "200"): 3}, seconds={("a", "a@1"): Spread.empty(LATENCY)})
    assert decode_counts(encode_counts(counts)) == counts
