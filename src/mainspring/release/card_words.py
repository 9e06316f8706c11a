"""Words, numbers and intervals as a model card shows them."""

from __future__ import annotations

from mainspring.domain.verdict import Estimate


def with_interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    return f"{number(estimate.value)} ({interval(estimate)})"


def interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def text(words: str) -> str:
    """Words of the user's data must not break a table or become a link, an image or HTML."""
    flat = " ".join(words.split())
    return "".join(f"\\{character}" if character in "\\|`*_[]<>!#" else character for character in flat)


def code(words: str) -> str:
    return " ".join(words.replace("`", "'").replace("|", "¦").split())
