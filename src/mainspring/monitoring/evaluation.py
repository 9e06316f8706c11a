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

    rows: int
    measurements: tuple[Measurement, ...] = ()


def evaluate(
    stores: Stores,
    model: str,
    monitors: Sequence[Monitor],
    *,
    label_delay: timedelta | None = None,
) -> Evaluation:
    """Take in what is new, and let each monitor measure the windows that have ended since its last look.

    Each window of a monitor is measured once, whatever is killed when; a monitor that cannot measure says so in
    its measurement, and hinders no other.

    Args:
        monitors: as the model declares them.
        label_delay: as the model declares it.
    """
    table = predictions_table(model)
    if not stores.tables.exists(table):
        return Evaluation(0)
    now = stores.clock.now()
    context = open_context(stores, model, now, label_delay)
    if context is None:
        return Evaluation(0)
    slices = sorted({monitor.by for monitor in monitors if monitor.by and monitor.kind in _BY_SKETCHES})
    rows = update_hours(stores.tables, model, context.manifests, now=now, slices=slices)
    hours = rows_by_hour(stores.tables, model, until=now)
    first = hours[0][0] if hours else None
    due: list[tuple[Monitor, list[tuple[int, Window]]]] = []
    ticks: dict[str, tuple[int, int]] = {}
    for monitor in monitors:
        before = measured_until(stores.tables, model, monitor.name)
        windows = due_windows(monitor, measured_until=before, now=now, first=first, hours=hours)
        if windows:
            due.append((monitor, windows))
            ticks[monitor.name] = (before, windows[-1][0])
    found = _measured(context, due) if due else []
    if ticks:
        write_measurements(stores.tables, model, found, ticks=ticks)
        # After the measurements: who is killed in between looks at some labels once more, and knows them by then.
        known = {name: state for name, state in context.states.items() if name in ticks}
        stores.records.put_monitor_states(model, known)
    return Evaluation(rows, tuple(sorted(found, key=lambda one: one.at)))


def _measured(context: Context, due: Sequence[tuple[Monitor, Sequence[tuple[int, Window]]]]) -> list[Measurement]:
    """What the monitors say of the windows that are due for each."""
    measures = _measures()
    waits = dict.fromkeys(MonitorKind, timedelta(0))
    if any(monitor.kind in _BY_LABELS for monitor, _ in due):
        # Once for all monitors: it reads the labels of two weeks.
        waits |= dict.fromkeys(_BY_LABELS, label_wait(context))
    found: list[Measurement] = []
    for monitor, windows in due:
        wait = waits[monitor.kind]
        for tick, window in windows:
            at = replace(context, now=datetime.fromtimestamp(tick, UTC))
            shifted = Window(window.start - wait, window.end - wait)
            found += _careful(measures[monitor.kind], at, monitor, shifted)
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
