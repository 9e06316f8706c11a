"""The entries of the history in words: what happened, and on which evidence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mainspring.cli.plain import number
from mainspring.cli.traffic_words import traffic_words
from mainspring.domain.history import Entry, EntryKind

_FIRST = ("quality", "requests", "guards")
_PLACES = {"replay": "replay", "shadow": "shadow", "canary": "canary", "bake": "champion on trial"}


def what_happened(entry: Entry) -> str:
    """In a few words; an entry that was altered in the database is told as it is."""
    tell = _WORDS.get(entry.kind)
    try:
        return entry.kind if tell is None else tell(entry.model, entry.detail)
    except (KeyError, TypeError, AttributeError, ValueError):
        return f"{entry.kind} (this entry was altered)"


def evidence_lines(entry: Entry) -> list[str]:
    """What it rests on, a fact a line, in the order of importance."""
    told = _TOLD.get(entry.kind, frozenset())
    facts = {name: value for name, value in entry.detail.items() if name not in told}
    evidence = facts.pop("evidence", None)
    if isinstance(evidence, Mapping):
        facts = {**evidence, **facts}
    elif evidence is not None:
        facts["evidence"] = evidence
    names = sorted(facts, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return [line for name in names for line in _facts(name, facts[name])]


def _alias(alias: str, model: str, detail: Mapping[str, Any]) -> str:
    before, after = detail["before"], detail["after"]
    if after is None:
        return f"no {alias} of {model} any more (it was {model}@{before})"
    return f"{model}@{after} is {alias}" + ("" if before is None else f", after {model}@{before}")


def _traffic(model: str, detail: Mapping[str, Any]) -> str:
    return f"traffic of {model}: {traffic_words(model, detail['after'])}"


def _key(_: str, detail: Mapping[str, Any]) -> str:
    return f"key {detail['key']}"


def _silence(model: str, detail: Mapping[str, Any]) -> str:
    return f"alerts of {model}/{detail['monitor']} are silenced until {_minute(detail['until'])}"


def _training(model: str, detail: Mapping[str, Any]) -> str:
    match detail["state"]:
        case "running":
            return f"a training of {model} has begun"
        case "released":
            return f"the training has made {model}@{detail['release']}"
        case state:
            return f"the training of {model} was {state} at its stage {detail['stage']}".replace(
                "was failed", "failed"
            )


def _rollout(model: str, detail: Mapping[str, Any]) -> str:
    before, after = detail["from"], detail["to"]
    release = f"{model}@{detail['challenger']}"
    if after["end"] is not None:
        return f"the rollout of {release} ends: {after['end']}"
    if before is None:
        return f"the rollout of {release} against {model}@{detail['champion']} begins: {_place(after)}"
    if (before["paused_at"] is None) != (after["paused_at"] is None):
        return f"the rollout of {release} {'goes on' if after['paused_at'] is None else 'is paused'}"
    return f"the rollout of {release}: {_place(before)} → {_place(after)}"


def _place(place: Mapping[str, Any]) -> str:
    stage = _PLACES.get(place["stage"], place["stage"])
    return f"{stage} step {place['step'] + 1}" if place["stage"] == "canary" else stage


_WORDS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    EntryKind.CHAMPION: lambda model, detail: _alias("champion", model, detail),
    EntryKind.CHALLENGER: lambda model, detail: _alias("challenger", model, detail),
    EntryKind.TRAFFIC: _traffic,
    EntryKind.KEY: _key,
    EntryKind.SILENCE: _silence,
    EntryKind.TRAINING: _training,
    EntryKind.ROLLOUT: _rollout,
}
# What the words say already, or what only a program wants to know.
_TOLD: Mapping[str, frozenset[str]] = {
    EntryKind.CHAMPION: frozenset({"before", "after", "generation"}),
    EntryKind.CHALLENGER: frozenset({"before", "after", "generation"}),
    EntryKind.TRAFFIC: frozenset({"before", "after", "generation"}),
    EntryKind.KEY: frozenset({"key", "generation"}),
    EntryKind.SILENCE: frozenset({"monitor", "until"}),
    EntryKind.TRAINING: frozenset({"state", "release", "stage", "trigger"}),
    EntryKind.ROLLOUT: frozenset({"rollout", "challenger", "champion", "from", "to"}),
}


def _facts(name: str, value: Any) -> Iterator[str]:
    if value is None or value in ({}, [], ""):
        return
    if (
        name == "quality"
        and isinstance(value, Mapping)
        and {"metric", "rows", "mean", "low", "high"} <= set(value)
    ):
        yield _quality(value)
    elif isinstance(value, Sequence) and not isinstance(value, str) and all(_is_guard(one) for one in value):
        for one in value:
            yield f"{one['name']}: {one['outcome']}" + (f", {one['note']}" if one["note"] else "")
    else:
        yield f"{name}: {_flat(value)}"


def _quality(value: Mapping[str, Any]) -> str:
    """How the challenger compares.

    Examples:
        >>> _quality({"metric": "brier", "rows": 1200, "mean": -0.02, "low": -0.03, "high": 0.01})
        'brier: worse by 0.02 (-0.01 to 0.03) on 1,200 rows'
        >>> _quality({"metric": "brier", "rows": 3, "mean": None, "low": None, "high": None})
        'brier: nothing to be said yet from 3 rows'
    """
    metric, rows, mean = value["metric"], number(value["rows"]), value["mean"]
    bounds = [value["low"], value["high"]]
    if mean is None or None in bounds:
        return f"{metric}: nothing to be said yet from {rows} rows"
    if mean < 0:
        mean, bounds = -mean, [-bounds[1], -bounds[0]]
    word = "worse" if value["mean"] < 0 else "better"
    return f"{metric}: {word} by {number(mean)} ({number(bounds[0])} to {number(bounds[1])}) on {rows} rows"


def _is_guard(value: Any) -> bool:
    return isinstance(value, Mapping) and {"name", "outcome", "note"} <= set(value)


def _flat(value: Any) -> str:
    """Plain JSON on one line, as people read it.

    Examples:
        >>> _flat({"rows": 12000, "slices": [{"city": "Chicago", "gain": 0.25}, None]})
        'rows 12,000, slices (city Chicago, gain 0.25; –)'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_inner(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list):
        return "; ".join(_inner(one) for one in value)
    if isinstance(value, (bool, str)):
        return str(value)
    return number(value)


def _inner(value: Any) -> str:
    return f"({_flat(value)})" if isinstance(value, list) and len(value) > 1 else _flat(value)


def _minute(text: str) -> str:
    return f"{text[:16].replace('T', ' ')}Z"
