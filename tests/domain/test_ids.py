"""Ids sort by time and digests do not depend on the order of keys."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.ids import canonical_json, digest_json, uuid7
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.snapshot import snapshot_id


class Frozen:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@given(st.integers(0, 4_000_000_000), st.integers(1, 1_000_000))
def test_a_later_id_sorts_after_an_earlier_one(start: int, milliseconds: int) -> None:
    assert uuid7(Frozen(start)) < uuid7(Frozen(start + milliseconds))


def test_ids_of_one_moment_differ() -> None:
    clock = Frozen(1_700_000_000)
    assert len({uuid7(clock) for _ in range(1000)}) == 1000


FORK = """
import os
from mainspring.domain.ids import uuid7
uuid7()
child = os.fork()
found = [uuid7() for _ in range(200)]
if child:
    os.waitpid(child, 0)  # one after the other, or their lines would be mixed
print(*found, sep="\\n", flush=True)
if not child:
    os._exit(0)
"""


def test_ids_of_threads_and_of_a_fork_differ() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = [one for part in threads.map(lambda _: [uuid7() for _ in range(2_000)], range(8)) for one in part]
    # What the parent holds ready, the child must not give out, too.
    found += subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(found) == len({one[14:] for one in found}) == 16_400
    assert all((parsed := uuid.UUID(one)).version == 7 and parsed.variant == uuid.RFC_4122 for one in found)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest_json(value) == digest_json(dict(reversed(value.items())))


def test_nan_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_snapshot_is_what_it_contains() -> None:
    schema = Schema((Column("a", Kind.NUMBER), Column("b", Kind.TEXT)))
    base = snapshot_id(schema.reading_digest(), {"delimiter": ","}, ["1", "2"])
    assert base == snapshot_id(schema.reading_digest(), {"delimiter": ","}, ["1", "2"])
    assert base != snapshot_id(schema.reading_digest(), {"delimiter": ","}, ["2", "1"])
    assert base != snapshot_id(schema.reading_digest(), {"delimiter": ";"}, ["1", "2"])


def test_what_only_validates_does_not_change_how_rows_are_read() -> None:
    loose = Schema((Column("a", Kind.NUMBER),))
    bounded = Schema((Column("a", Kind.NUMBER, minimum=0.0, nullable=False),))
    other = Schema((Column("a", Kind.NUMBER, missing=("?",)),))
    assert loose.reading_digest() == bounded.reading_digest() != other.reading_digest()
