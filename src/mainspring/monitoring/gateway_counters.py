"""What a gateway's `/metrics` says, as numbers that can be compared from one look to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "mainspring_"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the text."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_metrics(text: str) -> list[Sample]:
    """Our own lines of a text of Prometheus' format.

    Raises:
        ValueError: it is none.

    Examples:
        >>> text = "# TYPE mainspring_log_rows_total counter\\nmainspring_log_rows_total 7.0\\nother 1.0\\n"
        >>> read_metrics(text)
        [Sample(name='mainspring_log_rows_total', labels={}, value=7.0)]
    """
    return [
        Sample(one.name, dict(one.labels), float(one.value))
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name.startswith(_PREFIX)
    ]


def total(samples: Iterable[Sample], name: str, **labels: str) -> float | None:
    """The sum of the lines of that name and those labels; `None` where there are none.

    Examples:
        >>> lines = [Sample("mainspring_requests_total", {"status": status}, 2.0) for status in ("200", "500")]
        >>> total(lines, "requests_total"), total(lines, "requests_total", status="500"), total(lines, "log_rows")
        (4.0, 2.0, None)
    """
    found = [
        one.value
        for one in samples
        if one.name == _PREFIX + name and all(one.labels.get(key) == value for key, value in labels.items())
    ]
    return sum(found) if found else None


def increase(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """By how much each counter grew; one that fell began anew, with its gateway, and counts from nothing.

    Examples:
        >>> increase({"ok": 5.0, "failed": 9.0}, {"ok": 8.0, "failed": 1.0, "new": 2.0})
        {'ok': 3.0, 'failed': 1.0, 'new': 2.0}
    """
    return {
        name: value - before.get(name, 0.0) if value >= before.get(name, 0.0) else value
        for name, value in after.items()
    }
