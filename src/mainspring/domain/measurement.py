"""What a monitor measured over a window, and whether that is as it should be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

METRICS_FILE = "monitors.prom"
"""In the folder of a workspace's gateways: what the monitors found, for the gateway's `/metrics`."""


class State(StrEnum):
    """What a measurement says. `UNKNOWN` neither raises an alert nor ends one."""

    FINE = "fine"
    BAD = "bad"
    UNKNOWN = "unknown"  # not enough to say; the measurement's note says why


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` on and up to, not including, `end`; both UTC.

    Examples:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
        >>> noon in Window(noon, noon + timedelta(hours=1)), noon in Window(noon - timedelta(hours=1), noon)
        (True, False)
    """

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number (or the reason why there is none) about one subject over one window.

    Attributes:
        monitor: the name of the monitor.
        kind: `drift`, `prediction`, `performance` …: a `MonitorKind`.
        subject: what was measured: a feature, a metric, a function; empty for all features at once.
        at: when it was measured.
        release: whose answers; `None` for those of all releases.
        slice: of which rows, e.g. `{"device": "phone"}`; empty for all.
        low, high: of the interval or of the estimate's sampling error.
        reference: the same quantity over the reference, where it has one.
        bar: the value from which on it is bad.
        rows: how many rows it rests on; of a performance, those with a label.
        method: how it was measured, as the field calls it: `KS`, `PSI`, `CBPE` …
        p_value: corrected for the number of features looked at.
        estimated: that it is an estimate made without labels.
        note: why it could not be measured, or what there is to know about it, in words.
        example: what shows it best, e.g. `{"value": "Prcard", "rows": 12}`; `since` in it is the moment (ISO 8601)
            from when on it is so, where the monitor knows.
        job: the output's name of the score job of whose rows it is; empty for the answers of the prediction log.
    """

    monitor: str
    kind: str
    subject: str
    window: Window
    at: datetime
    state: State
    release: int | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    bar: float | None = None
    rows: int = 0
    method: str = ""
    p_value: float | None = None
    estimated: bool = False
    note: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    job: str = ""

    @property
    def since(self) -> datetime | None:
        """From when on it is so, where the monitor found that moment itself."""
        found = self.example.get("since")
        return datetime.fromisoformat(found) if isinstance(found, str) else None
