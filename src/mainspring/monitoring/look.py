"""One monitor's look at one window, and the measurements that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.release import Manifest
from mainspring.monitoring.context import Context


@dataclass(frozen=True, slots=True)
class Look:
    """Attributes:
    release: whose answers are looked at; `None` for those of all.
    slice: at which rows.
    """

    context: Context
    monitor: Monitor
    window: Window
    release: int | None = None
    slice: Mapping[str, str] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        """Of the release that is looked at, the champion's where it is none."""
        return self.context.manifests[self.release or self.context.champion]

    def found(self, state: State, **facts: Any) -> Measurement:
        """A measurement; `facts` are its further fields."""
        given = {
            "subject": self.monitor.subject,
            "window": self.window,
            "release": self.release,
            "slice": self.slice,
            "job": "" if self.context.job is None else self.context.job.name,
            **facts,
        }
        return Measurement(
            monitor=self.monitor.name, kind=self.monitor.kind, at=self.context.now, state=state, **given
        )

    def unknown(self, note: str, **facts: Any) -> Measurement:
        """That there is not enough to say, and why."""
        return self.found(State.UNKNOWN, note=note, **facts)
