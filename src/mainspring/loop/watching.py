"""Watches a model: one look after another, its alerts, and what others are told of both."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.domain.measurement import METRICS_FILE
from mainspring.domain.model import Model
from mainspring.errors import MainspringError, WorkspaceBusy
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.measurement import Measurement
    from mainspring.monitoring.opening import Stores

_LOG = logging.getLogger("mainspring.monitoring")
_TTL = 300.0  # seconds after which another process may go on where this one hangs
_TOLD = 10.0  # seconds that the sinks have when all ends
_UNSAID = timedelta(days=7)
_NEWEST = timedelta(days=8)  # a monitor that looks once a week has looked in this time


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Attributes:
        rows: predictions that were new.
        events: what people are told of alerts.
    """

    model: str
    rows: int
    measurements: tuple[Measurement, ...]
    events: tuple[Event, ...]


class Watch:
    """The monitors of one model; a context manager, which one process at a time may enter.

    Raises:
        WorkspaceBusy: on entering, another process watches the model.
    """

    def __init__(self, workspace: Workspace, model: Model) -> None:
        self._workspace = workspace
        self._model = model
        self._stopping = threading.Event()
        self._open = ExitStack()
        self._is_first = True

    def __enter__(self) -> Self:
        from mainspring.monitoring.alerts.courier import Courier

        workspace = self._workspace
        with ExitStack() as opened:
            self._lease = opened.enter_context(
                workspace.records.lease(f"monitors/{self._model.name}", "mainspring monitor run", ttl=_TTL)
            )
            self._courier = opened.enter_context(Courier(workspace.records, workspace.settings.alerts))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._courier.settle(_TOLD)
        self._open.close()

    def look(self) -> Look:
        """Measure what is due, raise and end alerts, and leave what was found for the gateway's metrics.

        Raises:
            WorkspaceBusy: another process watches the model.
            StoreError: a store cannot be read or written.
        """
        from mainspring.domain.durations import parse_duration
        from mainspring.monitoring.alerts.raising import raise_alerts
        from mainspring.monitoring.evaluation import evaluate

        workspace, model = self._workspace, self._model
        self._lease.renew()
        delay = None if model.label_delay is None else parse_duration(model.label_delay)
        found = evaluate(monitoring_stores(workspace), model.name, model.watched, label_delay=delay)
        events = raise_alerts(
            workspace.records,
            model.name,
            model.watched,
            self._for_alerts(found.measurements),
            now=workspace.clock.now(),
            settings=workspace.settings.alerts,
        )
        if events:
            self._courier.nudge()
        if found.measurements or self._is_first:
            self._tell_metrics()
        self._is_first = False
        return Look(model.name, found.rows, found.measurements, tuple(events))

    def until_stopped(self, pause: timedelta, told: Callable[[Look], object]) -> None:
        """Look again and again, until SIGTERM or Ctrl-C; what fails is logged, and tried again.

        Raises:
            WorkspaceBusy: another process has taken over.
        """
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stopping.is_set():
                try:
                    told(self.look())
                except WorkspaceBusy:
                    raise
                except MainspringError as error:
                    _LOG.error("%s was not looked at: %s", self._model.name, error)
                self._stopping.wait(pause.total_seconds())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell_metrics(self) -> None:
        """A disk that is full costs what the gateway's metrics say, and no look."""
        from mainspring.domain.alert import AlertState
        from mainspring.monitoring.measurements import read_measurements
        from mainspring.monitoring.metrics_text import write_monitor_metrics

        workspace, name = self._workspace, self._model.name
        now = workspace.clock.now()
        newest = read_measurements(workspace.tables, name, since=now - _NEWEST, until=now)
        alerts = workspace.records.alerts(name, states=(AlertState.PENDING, AlertState.FIRING))
        place = workspace.gateway_folder / METRICS_FILE
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_monitor_metrics(place, {name: newest}, alerts)
        except (MainspringError, OSError) as error:
            _LOG.error("the monitors' metrics were not written: %s", error)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stopping.set()

    def _for_alerts(self, measured: Sequence[Measurement]) -> Sequence[Measurement]:
        """What was measured now, and at the first look what a killed process may have left unsaid."""
        from mainspring.monitoring.measurements import read_measurements

        if not self._is_first:
            return measured
        workspace, name = self._workspace, self._model.name
        known = workspace.records.alert_looks(name)
        declared = {monitor.name for monitor in self._model.watched}
        looks = [at for monitor, at in known.items() if monitor in declared]
        since = min(looks, default=workspace.clock.now() - _UNSAID)
        return read_measurements(workspace.tables, name, since=since, until=workspace.clock.now())


def monitoring_stores(workspace: Workspace) -> Stores:
    """What monitors read and write of a workspace."""
    from mainspring.loop.gateway_metrics import gateway_metrics
    from mainspring.monitoring.opening import Stores

    return Stores(
        workspace.tables,
        workspace.records,
        workspace.catalogue,
        workspace.clock,
        lambda: gateway_metrics(workspace),
    )
