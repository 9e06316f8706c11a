"""The part of a model card that says which rows were learnt from, where several choices were tried."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.domain.release import Manifest
from mainspring.domain.window import WindowTrial
from mainspring.release.card_words import code, interval, number, text


def window_section(manifest: Manifest) -> Iterator[str]:
    """Nothing where there was no choice."""
    if manifest.training is None or manifest.training.window is None:
        return
    window = manifest.training.window
    yield "## The rows it learnt from"
    yield ""
    yield f"It learnt from `{code(window.window)}`: {text(window.reason)}."
    if window.metric:
        yield (
            f"All were asked about the same {window.rows_compared:,} rows, newer than any that they had seen; a "
            "gap whose interval (half a standard error) lies above 0 is clear."
        )
    yield ""
    yield f"| window | rows | {window.metric or 'metric'} | behind the best | interval | |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for tried in window.tried:
        yield _row(tried)
    yield ""


def _row(tried: WindowTrial) -> str:
    gap = tried.gap
    cells = (
        f"`{code(tried.window)}`",
        f"{tried.rows:,}" if tried.rows else "–",
        number(tried.value),
        number(None if gap is None else gap.value),
        "–" if gap is None else interval(gap),
        text(tried.note),
    )
    return f"| {' | '.join(cells)} |"
