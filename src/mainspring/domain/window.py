"""The rows that a model learns from, where several choices were tried: what was tried, and why one was taken."""

from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.verdict import Estimate


@dataclass(frozen=True, slots=True)
class WindowTrial:
    """One window of training rows.

    Attributes:
        window: as declared, e.g. `since_change`.
        rows: that it learnt from when it was compared; all of them older than those it was asked about.
        value: of the metric, on the rows that all windows were asked about.
        gap: by how much the best one is better on the same rows, with an interval of half a standard error.
        note: why it was not tried, where it was not.
    """

    window: str
    rows: int
    value: float | None = None
    gap: Estimate | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """The window that was taken.

    Attributes:
        rule: the rows as plain data, so that a refit takes the same ones: `{"kind": "all"}`, `{"kind": "since",
            "start": microseconds since the epoch}`, `{"kind": "newest", "rows": …}`, `{"kind": "weighted",
            "half_life": microseconds}`, or `{"kind": "spans", "spans": [[first, end], …]}` in microseconds since
            the epoch, the ends not included, the last one without.
        reason: why this one, in words.
        metric: by which they were compared, on `rows_compared` rows; none where there was nothing to compare.
        tried: every declared window, in the order of their declaration.
    """

    window: str
    rule: dict[str, Any]
    reason: str
    metric: str = ""
    rows_compared: int = 0
    tried: tuple[WindowTrial, ...] = field(default=())
