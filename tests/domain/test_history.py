"""The chain of the history: whatever is done to an entry, the first one that does not hold is named."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.history import BEGINNING, Entry, Head, chained, digest_of, first_break

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
_TEXT = st.text(max_size=8)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_TOLD = st.fixed_dictionaries(
    {
        "at": st.datetimes(timezones=st.just(UTC)),
        "model": _TEXT,
        "kind": _TEXT,
        "actor": _TEXT,
        "reason": _TEXT,
        "detail": st.dictionaries(_TEXT, _PLAIN, max_size=3),
        "once": st.none() | _TEXT,
    }
)


def chain(told: list[dict[str, Any]]) -> tuple[list[Entry], Head]:
    entries: list[Entry] = []
    head = Head()
    for one in told:
        entries.append(chained(head, **one))
        head = Head(entries[-1].id, entries[-1].digest)
    return entries, head


def some(count: int, **told: Any) -> tuple[list[Entry], Head]:
    return chain([{**_told(number), **told} for number in range(count)])


def _told(number: int) -> dict[str, Any]:
    at = NOON + timedelta(minutes=number)
    return {"at": at, "model": "m", "kind": "trigger", "actor": "ana", "reason": str(number), "detail": {}}


@given(st.lists(_TOLD, max_size=6))
def test_a_chain_that_nobody_touched_holds(told: list[dict[str, Any]]) -> None:
    entries, head = chain(told)
    assert first_break(entries, head) is None
    assert [entry.id for entry in entries] == list(range(1, len(told) + 1))


def test_the_digest_is_what_the_module_says() -> None:
    """Computed here by hand, so that nobody changes the form unawares: old chains would break."""
    entries, _ = some(2, detail={"b": [1, None], "a": "ü"}, once="c")
    by_hand = {
        "id": 2,
        "at": "2026-03-01T12:01:00.123457+00:00",
        "model": "m",
        "kind": "trigger",
        "actor": "ana",
        "reason": "1",
        "detail": {"b": [1, None], "a": "ü"},
        "once": "c",
    }
    text = json.dumps(by_hand, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert entries[0].previous == BEGINNING
    assert entries[1].digest == hashlib.sha256(f"{entries[0].digest}\n{text}".encode()).hexdigest()


def test_a_moment_is_the_same_in_every_zone() -> None:
    entries, head = some(1)
    elsewhere = replace(entries[0], at=entries[0].at.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert first_break([elsewhere], head) is None


@given(st.data(), st.lists(_TOLD, min_size=1, max_size=6))
def test_any_edit_is_found_where_it_is(data: st.DataObject, told: list[dict[str, Any]]) -> None:
    entries, head = chain(told)
    place = data.draw(st.integers(0, len(entries) - 1))
    name, values = data.draw(
        st.sampled_from(
            [
                ("id", st.integers(0, 10)),
                ("at", st.datetimes(timezones=st.just(UTC))),
                ("model", _TEXT),
                ("kind", _TEXT),
                ("actor", _TEXT),
                ("reason", _TEXT),
                ("once", st.none() | _TEXT),
                ("detail", st.dictionaries(_TEXT, _PLAIN, max_size=3)),
                ("previous", st.just("f" * 64)),
                ("digest", st.just("f" * 64)),
            ]
        )
    )
    was = getattr(entries[place], name)
    # As JSON, since there 1 and 1.0 and True are three things.
    value = data.draw(values.filter(lambda one: json.dumps(one, default=str) != json.dumps(was, default=str)))
    entries[place] = replace(entries[place], **{name: value})
    found = first_break(entries, head)
    assert found is not None
    assert found.entry == entries[place]


@given(st.data(), st.lists(_TOLD, min_size=1, max_size=6))
def test_an_edit_with_a_new_digest_is_found_at_the_next_one(
    data: st.DataObject, told: list[dict[str, Any]]
) -> None:
    entries, head = chain(told)
    place = data.draw(st.integers(0, len(entries) - 1))
    forged = replace(entries[place], reason=entries[place].reason + "!")
    entries[place] = replace(forged, digest=digest_of(forged))
    found = first_break(entries, head)
    assert found is not None
    assert found.entry == (entries[place + 1] if place + 1 < len(entries) else None)


@given(st.data(), st.integers(1, 6))
def test_any_deletion_is_found(data: st.DataObject, count: int) -> None:
    entries, head = some(count)
    gone = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    left = [entry for place, entry in enumerate(entries) if place not in gone]
    found = first_break(left, head)
    assert found is not None
    first = next((entry for place, entry in enumerate(left) if entry.id != place + 1), None)
    assert found.entry == first
    if first is None:
        assert found.reason == f"{len(gone)} of {count} entries are missing at the end"


@given(st.permutations(range(5)).filter(lambda order: order != sorted(order)), st.booleans())
def test_any_reordering_is_found(order: list[int], renumbered: bool) -> None:
    entries, head = some(5)
    moved = [entries[place] for place in order]
    if renumbered:
        moved = [replace(entry, id=place) for place, entry in enumerate(moved, 1)]
    found = first_break(moved, head)
    assert found is not None
    assert found.entry == next(entry for place, entry in enumerate(moved) if order[place] != place)


@given(st.integers(0, 4), st.integers(0, 4))
def test_an_entry_put_in_is_found(source: int, place: int) -> None:
    entries, head = some(5)
    found = first_break([*entries[:place], entries[source], *entries[place:]], head)
    assert found is not None


@pytest.mark.parametrize("head", [Head(), Head(2, BEGINNING), Head(1, "f" * 64)])
def test_entries_that_the_head_does_not_know(head: Head) -> None:
    entries, _ = some(2)
    found = first_break(entries, head)
    assert found is not None
    assert found.entry is None


@given(st.integers(0, 5))
def test_a_digest_that_was_noted_is_still_there(place: int) -> None:
    entries, head = some(5)
    noted = [BEGINNING, *(entry.digest for entry in entries)][place]
    assert first_break(entries, head, noted) is None


def test_a_history_that_was_written_anew_is_told_by_a_noted_digest() -> None:
    entries, _ = some(3)
    forged, head = some(3, actor="eve")
    assert first_break(forged, head) is None, "it holds in itself"
    found = first_break(forged, head, entries[1].digest)
    assert found is not None
    assert found.entry is None


def test_two_histories_do_not_fit_together() -> None:
    """The end of one put after the beginning of another one, every digest by itself right."""
    entries, head = some(4)
    others, _ = some(4, actor="eve")
    found = first_break([*others[:2], *entries[2:]], head)
    assert found is not None
    assert (found.entry, found.reason) == (entries[2], "entry 3 does not follow the one before it")
