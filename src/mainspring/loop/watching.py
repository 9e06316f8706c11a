"""Watches a model: one look after another, its alerts, and what others are told of both."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.domain.measurement import METRICS_FILE
from mainspring.domain.model import Model
from mainspring.errors import MainspringError, WorkspaceBusy
from mainspring.loop.own_alerts import OWN
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.domain.agreement import ViewAgreement
    from mainspring.domain.alert import Event
    from mainspring.domain.measurement import Measurement, Window
    from mainspring.domain.release import Manifest
    from mainspring.monitoring.opening import Stores
    from mainspring.project import Project

_LOG = logging.getLogger("mainspring.monitoring")
_TTL = 300.0  # seconds after which another process may go on where this one hangs
_TOLD = 10.0  # seconds that the sinks have when all ends
_UNSAID = timedelta(days=7)
_RENEWED = 20.0  # seconds after which the lease is renewed
_KEPT_BACK = timedelta(minutes=1)  # so often it is seen whether the silence over a firing alert has ended
_NEWEST = timedelta(days=8)  # a monitor that looks once a week has looked in this time


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Attributes:
        rows: predictions that were new.
        events: what people are told of alerts.
        silence: why nothing was measured, in words; empty where something was.
    """

    model: str
    rows: int
    measurements: tuple[Measurement, ...]
    events: tuple[Event, ...]
    silence: str = ""


class Watch:
    """The monitors of one model; a context manager, which one process at a time may enter.

    Args:
        project: the model's, for what is computed anew from feature views; without it that is not measured.

    Raises:
        WorkspaceBusy: on entering, another process watches the model.
    """

    def __init__(self, workspace: Workspace, model: Model, project: Project | None = None) -> None:
        self._workspace = workspace
        self._model = model
        self._project = project
        self._stopping = threading.Event()
        self._open = ExitStack()
        self._is_first = True
        self._renewed = 0.0
        self._looked: Look | None = None
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._again_at: datetime | None = None  # before, no monitor is due
        self._jobs = -1  # the version of the table of score jobs that was looked at

    def __enter__(self) -> Self:
        from mainspring.monitoring.alerts.courier import Courier

        workspace = self._workspace
        with ExitStack() as opened:
            self._lease = opened.enter_context(
                workspace.records.lease(f"monitors/{self._model.name}", "mainspring monitor run", ttl=_TTL)
            )
            self._renewed = workspace.clock.monotonic()
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

        It may be called all the time: as long as no monitor can be due, it costs next to nothing.

        Raises:
            WorkspaceBusy: another process watches the model.
            StoreError: a store cannot be read or written.
        """
        from mainspring.monitoring.evaluation import evaluate

        workspace, model = self._workspace, self._model
        now = workspace.clock.now()
        if workspace.clock.monotonic() - self._renewed >= _RENEWED:
            self._lease.renew()
            self._renewed = workspace.clock.monotonic()
        if self._looked is not None and self._is_idle(now):
            return self._looked
        jobs = self._version_of_jobs()
        stores = monitoring_stores(workspace, self._project)
        found = evaluate(
            stores, model.name, model.watched, label_delay=self._label_delay, stopping=self._stopping.is_set
        )
        events = self._tell(found.measurements)
        self._looked_at, self._jobs = now, jobs
        self._again_at = self._not_before(found.again_at)
        self._looked = Look(model.name, 0, (), (), found.silence)
        silence = "" if found.measurements else found.silence
        return Look(model.name, found.rows, found.measurements, events, silence)

    def look_at_jobs(self) -> Look:
        """The same, of the score jobs alone."""
        from mainspring.monitoring.jobs.evaluation import evaluate_jobs

        model, stores = self._model, monitoring_stores(self._workspace)
        found = evaluate_jobs(stores, model.name, model.watched, label_delay=self._label_delay)
        return Look(model.name, 0, found, self._tell(found))

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

    @property
    def _label_delay(self) -> timedelta | None:
        from mainspring.domain.durations import parse_duration

        return None if self._model.label_delay is None else parse_duration(self._model.label_delay)

    def _tell(self, found: Sequence[Measurement]) -> tuple[Event, ...]:
        """Raise and end alerts by what was measured, and leave it for the gateway's metrics."""
        from mainspring.monitoring.alerts.raising import raise_alerts

        workspace, model = self._workspace, self._model
        events = raise_alerts(
            workspace.records,
            model.name,
            (*model.everything_watched, *OWN),
            self._for_alerts(found),
            now=workspace.clock.now(),
            settings=workspace.settings.alerts,
        )
        if events:
            self._courier.nudge()
        if found or self._is_first:
            self._tell_metrics()
        self._is_first = False
        return tuple(events)

    def _is_idle(self, now: datetime) -> bool:
        """Whether nothing can be due that was not when it was looked last."""
        if self._again_at is None or not self._looked_at <= now < self._again_at:
            return False  # also where the clock was put back
        from mainspring.monitoring.jobs.tables import jobs_table

        return not self._workspace.tables.has_grown(jobs_table(self._model.name), since=self._jobs)

    def _not_before(self, again_at: datetime | None) -> datetime | None:
        from mainspring.domain.alert import AlertState

        firing = self._workspace.records.alerts(self._model.name, states=(AlertState.FIRING,))
        if again_at is None or all(alert.told_at is not None for alert in firing):
            return again_at
        return min(again_at, self._looked_at + _KEPT_BACK)

    def _version_of_jobs(self) -> int:
        from mainspring.monitoring.jobs.tables import jobs_table

        tables, table = self._workspace.tables, jobs_table(self._model.name)
        return tables.version(table) if tables.exists(table) else -1

    def _tell_metrics(self) -> None:
        """A disk that is full costs what the gateway's metrics say, and no look."""
        from mainspring.domain.alert import AlertState
        from mainspring.monitoring.measurements import newest_measurements
        from mainspring.monitoring.metrics_text import write_monitor_metrics

        workspace, name = self._workspace, self._model.name
        now = workspace.clock.now()
        newest = newest_measurements(workspace.tables, name, since=now - _NEWEST, until=now)
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
        declared = {monitor.name for monitor in self._model.everything_watched}
        looks = [at for monitor, at in known.items() if monitor in declared]
        since = min(looks, default=workspace.clock.now() - _UNSAID)
        return read_measurements(workspace.tables, name, since=since, until=workspace.clock.now())


def monitoring_stores(workspace: Workspace, project: Project | None = None) -> Stores:
    """What monitors read and write of a workspace.

    Args:
        project: by whose views features are computed anew.
    """
    from mainspring.loop.gateway_metrics import gateway_metrics
    from mainspring.monitoring.opening import Stores

    def again(manifest: Manifest, window: Window) -> tuple[ViewAgreement, ...]:
        from mainspring.loop.features.agreement import recompute

        assert project is not None
        return recompute(workspace, project, manifest, window)

    return Stores(
        workspace.tables,
        workspace.records,
        workspace.catalogue,
        workspace.clock,
        lambda: gateway_metrics(workspace),
        None if project is None else again,
    )
