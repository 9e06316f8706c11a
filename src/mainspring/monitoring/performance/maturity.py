"""Whether enough of a window's labels are in for it to be judged."""

from __future__ import annotations

from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.labelled import Labelled


def immature(look: Look, known: Labelled) -> str:
    """Why the window is not judged yet; nothing where it is.

    It is judged once `min_label_share` of its answers have a label, or, where the model says how long labels take,
    once that time has passed: what has not come by then may never come.
    """
    monitor, context = look.monitor, look.context
    rows = len(known.truth)
    if not known.answered:
        return "nothing was answered in this time"
    due = context.label_delay is not None and look.window.end + context.label_delay <= context.now
    if known.share < monitor.min_label_share and not due:
        when = (
            f"or from {look.window.end + context.label_delay:%Y-%m-%d %H:%M} UTC on"
            if context.label_delay is not None
            else "or once the model's label_delay has passed; it declares none"
        )
        return f"{coverage_of(known)}; it is judged from {monitor.min_label_share:.0%} on, {when}{_and(known.odd)}"
    if rows < monitor.min_rows:
        return f"{coverage_of(known)}, and {monitor.min_rows:,} are needed{_and(known.odd)}"
    return ""


def coverage_of(known: Labelled) -> str:
    """How many labels are in, in words."""
    return f"{len(known.truth):,} of {known.answered:,} answers have a label ({known.share:.0%})"


def note_of(known: Labelled) -> str:
    """What there is to know of a window that is judged."""
    return coverage_of(known) + _and(known.odd)


def _and(text: str) -> str:
    return f"; {text}" if text else ""
