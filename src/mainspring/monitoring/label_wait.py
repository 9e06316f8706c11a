"""How long a window waits for its labels before it is judged."""

from __future__ import annotations

from datetime import timedelta

from mainspring.data.coverage import coverage
from mainspring.monitoring.context import Context

_SEEN = timedelta(days=14)
_GRAIN = timedelta(hours=1)


def label_wait(context: Context) -> timedelta:
    """The delay that the model declares, else that within which nine tenths of the known labels came.

    Measured on the answers of the last two weeks and rounded up to a whole hour, so that windows stay comparable.
    """
    if context.label_delay is not None:
        return context.label_delay
    seen = coverage(context.tables, context.model, now=context.now, window=_SEEN).delay_90
    if seen is None:
        return timedelta(0)
    return -(-timedelta(seconds=seen) // _GRAIN) * _GRAIN
