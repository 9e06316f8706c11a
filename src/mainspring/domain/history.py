"""The history: who or what did what, when, why and on which evidence, each entry chained to the one before it.

An entry's digest is the SHA-256 of the digest before it, a line end, and the entry as canonical JSON (sorted keys,
no blanks, UTF-8), in hexadecimal; before the first one stand 64 zeros. So any program can check the chain again.

What that proves: nothing was altered, taken out, put in or moved up to an entry whose digest is known from
elsewhere (a mail, a ticket, another system's log). The newest digest is kept beside the entries, so that a
careless hand is noticed without one, also at the end. What it does not prove: that an entry was true when it was
written, or who the person behind an actor's name is. And whoever may write to the database can compute every later
digest anew, and the newest one too: that one is told by a digest noted elsewhere, and by nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mainspring.domain.ids import canonical_json, digest_bytes
from mainspring.domain.routing import Traffic

BEGINNING = "0" * 64
"""What stands before the first entry in place of a digest."""


class EntryKind(StrEnum):
    """What the records tell by themselves, in the transaction of the change; events have kinds of their own."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    TRAFFIC = "traffic"
    KEY = "key"
    SILENCE = "silence"
    ROLLOUT = "rollout"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened.

    Attributes:
        id: 1 for the first one, and one more for each that follows, without a gap.
        at: when, by the writer's clock; a clock that was set back shows as an earlier time on a later id.
        model: empty for what concerns no model, such as a key.
        kind: in a word or two: a name of `EntryKind`, or of an event.
        actor: the person, run or process.
        reason: why, in words.
        detail: what changed, and the evidence; plain JSON.
        once: the name of the cause, of which there is one entry of this model and kind only.
        previous: the digest of the entry before.
        digest: of this one; see the module.
    """

    id: int
    at: datetime
    model: str
    kind: str
    actor: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, and the digest of the newest."""

    entries: int = 0
    digest: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the history does not hold.

    Attributes:
        entry: as it stands there now; `None` where entries are missing at the end.
        reason: what is wrong with it, in words.
    """

    entry: Entry | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """What answered for a model at some time, by what had been decided.

    Attributes:
        champion, challenger: numbers of releases; `None` where there was none.
        traffic: what went to others than the champion.
        entry: what made it so.
    """

    model: str
    champion: int | None
    challenger: int | None
    traffic: Traffic
    entry: Entry


def chained(
    head: Head,
    *,
    at: datetime,
    model: str,
    kind: str,
    actor: str,
    reason: str,
    detail: Mapping[str, Any],
    once: str | None = None,
) -> Entry:
    """The entry that comes after the newest one.

    Examples:
        >>> first = chained(Head(), at=datetime(2026, 3, 1, tzinfo=UTC), model="adclick", kind="champion",
        ...                 actor="ana", reason="better", detail={"before": None, "after": 1})
        >>> first.id, first.previous == BEGINNING, first.digest[:16]
        (1, True, '7976bc62d082f69a')
    """
    told: dict[str, Any] = {
        "id": head.entries + 1,
        "at": at,
        "model": model,
        "kind": kind,
        "actor": actor,
        "reason": reason,
        "detail": detail,
        "once": once,
    }
    return Entry(**told, previous=head.digest, digest=_digest(head.digest, told))


def first_break(entries: Iterable[Entry], head: Head, noted: str | None = None) -> Break | None:
    """Where the chain does not hold, or `None` where it does.

    Args:
        entries: all of them, the oldest first.
        head: what was kept beside them.
        noted: a digest that was noted elsewhere, which one of them must have.
    """
    count, previous, found = 0, BEGINNING, noted in (None, BEGINNING)
    for entry in entries:
        count += 1
        if entry.id != count:
            return Break(entry, f"entry {count} is not where it was")
        if entry.previous != previous:
            return Break(entry, f"entry {count} does not follow the one before it")
        if entry.digest != digest_of(entry):
            return Break(entry, f"entry {count} is not as it was written")
        previous = entry.digest
        found = found or previous == noted
    if count < head.entries:
        return Break(None, f"{head.entries - count} of {head.entries} entries are missing at the end")
    if count > head.entries or previous != head.digest:
        return Break(None, "the newest entry is not the one that was written last")
    return None if found else Break(None, "no entry has the digest that was noted: all were written anew")


def digest_of(entry: Entry) -> str:
    """The digest that the entry must have."""
    told = {
        "id": entry.id,
        "at": entry.at,
        "model": entry.model,
        "kind": entry.kind,
        "actor": entry.actor,
        "reason": entry.reason,
        "detail": entry.detail,
        "once": entry.once,
    }
    return _digest(entry.previous, told)


def _digest(previous: str, told: Mapping[str, Any]) -> str:
    # This form is for ever: another one would break the chain of every database there is.
    time = told["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return digest_bytes(previous.encode() + b"\n" + canonical_json({**told, "at": time}))
