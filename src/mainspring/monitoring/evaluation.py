"""One look at a model: what is new goes into the hourly sketches, and the monitors that are due measure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor, MonitorKind
from mainspring.domain.prediction_log import predictions_table
from mainspring.errors import MainspringError
from mainspring.monitoring.context import Context
from mainspring.monitoring.hours.update import update_hours
from mainspring.monitoring.hours.window_profile import rows_by_hour
from mainspring.monitoring.label_wait import label_wait
from mainspring.monitoring.measurements import measured_until, write_measurements
from mainspring.monitoring.opening import Stores, open_context
from mainspring.monitoring.windows import due_windows

_LOG = logging.getLogger("mainspring.monitoring")
_BY_SKETCHES = {MonitorKind.DRIFT, MonitorKind.PREDICTION}
_BY_LABELS = {MonitorKind.PERFORMANCE, MonitorKind.FAIRNESS, MonitorKind.BUSINESS}

Measure = Callable[[Context, Monitor, Window], list[Measurement]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a look found.

    Attributes:
        rows: predictions that were new since the look before.
        measurements: of the monitors that were due, in the order of the measuring.
    """

    model: str
    rows: int
    measurements: tuple[Measurement, ...] = ()


def evaluate(
    stores: Stores,
    model: str,
    monitors: Sequence[Monitor],
    *,
    label_delay: timedelta | None = None,
    measures: Mapping[MonitorKind, Measure] | None = None,
) -> Evaluation:
    """Take in what is new, and let each monitor measure the windows that have ended since its last look.

    Each window of a monitor is measured once, whatever is killed when; a monitor that cannot measure says so in
    its measurement, and hinders no other.

    Args:
        monitors: as the model declares them.
        label_delay: as the model declares it.
        measures: by kind how it is measured; for tests.
    """
    table = predictions_table(model)
    if not stores.tables.exists(table):
        return Evaluation(model, 0)
    now = stores.clock.now()
    context = open_context(stores, model, now, label_delay)
    if context is None:
        return Evaluation(model, 0)
    slices = sorted({monitor.by for monitor in monitors if monitor.by and monitor.kind in _BY_SKETCHES})
    rows = update_hours(stores.tables, model, context.manifests, now=now, slices=slices)
    hours = rows_by_hour(stores.tables, model, until=now)
    first = hours[0][0] if hours else None
    found: list[Measurement] = []
    ticks: dict[str, tuple[int, int]] = {}
    for monitor in monitors:
        before = measured_until(stores.tables, model, monitor.name)
        due = due_windows(monitor, measured_until=before, now=now, first=first, hours=hours)
        if due:
            found += _measured(context, monitor, due, (measures or _measures())[monitor.kind])
            ticks[monitor.name] = (before, due[-1][0])
    if ticks:
        write_measurements(stores.tables, model, found, ticks=ticks)
        # After the measurements: who is killed in between looks at some labels once more, and knows them by then.
        known = {name: state for name, state in context.states.items() if name in ticks}
        stores.records.put_monitor_states(model, known)
    return Evaluation(model, rows, tuple(sorted(found, key=lambda one: one.at)))


def _measured(
    context: Context, monitor: Monitor, due: Sequence[tuple[int, Window]], measure: Measure
) -> list[Measurement]:
    wait = label_wait(context) if monitor.kind in _BY_LABELS else timedelta(0)
    found: list[Measurement] = []
    for tick, window in due:
        at = replace(context, now=datetime.fromtimestamp(tick, UTC))
        found += _careful(measure, at, monitor, Window(window.start - wait, window.end - wait))
    return found


def _careful(measure: Measure, context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """What was measured, or one measurement that says why nothing was."""
    try:
        return measure(context, monitor, window)
    except MainspringError as error:
        note = str(error)
    except Exception as error:  # a monitor that fails must not blind the others
        _LOG.exception("the monitor %r of %s failed", monitor.name, context.model)
        note = f"it failed: {type(error).__name__}: {error}; see the log"
    return [
        Measurement(monitor.name, monitor.kind, monitor.subject, window, context.now, State.UNKNOWN, note=note)
    ]


def _measures() -> Mapping[MonitorKind, Measure]:
    """How each kind is measured."""
    from mainspring.monitoring.concept.concept import concept
    from mainspring.monitoring.drift.drift import drift, prediction
    from mainspring.monitoring.performance.business import business
    from mainspring.monitoring.performance.estimate import estimate
    from mainspring.monitoring.performance.fairness import fairness
    from mainspring.monitoring.performance.performance import performance
    from mainspring.monitoring.technical import technical

    return {
        MonitorKind.DRIFT: drift,
        MonitorKind.PREDICTION: prediction,
        MonitorKind.PERFORMANCE: performance,
        MonitorKind.ESTIMATE: estimate,
        MonitorKind.CONCEPT: concept,
        MonitorKind.FAIRNESS: fairness,
        MonitorKind.BUSINESS: business,
        MonitorKind.TECHNICAL: technical,
    }
