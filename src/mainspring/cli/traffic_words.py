"""Rules of traffic, in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mainspring.cli.plain import when


def traffic_words(model: str, traffic: Mapping[str, Any]) -> str:
    """The rules on one line.

    Args:
        traffic: `domain.routing.Traffic` as plain data, from the history perhaps as an earlier version wrote it.

    Examples:
        >>> traffic_words("adclick", {"canary": {"number": 4, "share": 0.05}, "arms": [],
        ...                           "shadows": [{"number": 5, "share": 1.0}]})
        'canary adclick@4 5%, shadow adclick@5 100%'
        >>> traffic_words("adclick", {"canary": None, "arms": [{"name": "blue", "number": 4, "share": 0.5}],
        ...                           "shadows": [], "arms_end": "2026-03-15T12:00:00Z"})
        'arm blue adclick@4 50%, until 2026-03-15 12:00:00Z'
        >>> traffic_words("adclick", {"canary": None, "arms": [], "shadows": []})
        'all to the champion'
    """
    shares = [("canary", traffic["canary"])] if traffic["canary"] else []
    shares += [("shadow", shadow) for shadow in traffic["shadows"]]
    shares += [(f"arm {arm['name']}", arm) for arm in traffic["arms"]]
    told = [f"{role} {model}@{of['number']} {of['share'] * 100:.6g}%" for role, of in shares]
    end = traffic.get("arms_end")
    told += [f"until {when(datetime.fromisoformat(end))}"] if end else []
    return ", ".join(told) or "all to the champion"


def end_words(end: datetime | None, model: str, now: datetime) -> str:
    """When an A/B test that goes on ends.

    Examples:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 15, 12, tzinfo=UTC)
        >>> end_words(None, "adclick", noon)
        'It goes on until you end it: mainspring traffic adclick --clear'
        >>> end_words(noon, "adclick", noon.replace(hour=11))
        'The loop (mainspring up) ends it at 2026-03-15 12:00:00Z.'
        >>> end_words(noon, "adclick", noon.replace(hour=13))
        'It was to end at 2026-03-15 12:00:00Z, and does when the loop runs: mainspring up'
    """
    if end is None:
        return f"It goes on until you end it: mainspring traffic {model} --clear"
    if now < end:
        return f"The loop (mainspring up) ends it at {when(end)}."
    return f"It was to end at {when(end)}, and does when the loop runs: mainspring up"
