"""One look at a model: what is new goes into the hourly sketches, and the monitors that are due measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import Monitor, MonitorKind
from mainspring.domain.prediction_log import predictions_table
from mainspring.monitoring.context import Context
from mainspring.monitoring.hours.update import has_news, update_hours
from mainspring.monitoring.hours.window_profile import rows_by_hour
from mainspring.monitoring.jobs.evaluation import evaluate_jobs
from mainspring.monitoring.label_wait import label_wait
from mainspring.monitoring.measurements import all_measured_until, merge_measurements, write_measurements
from mainspring.monitoring.measuring import measured
from mainspring.monitoring.opening import Stores, open_context
from mainspring.monitoring.windows import due_windows, is_due, next_look

_BY_SKETCHES = {MonitorKind.DRIFT, MonitorKind.PREDICTION}
_BY_LABELS = {MonitorKind.PERFORMANCE, MonitorKind.FAIRNESS, MonitorKind.BUSINESS}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a look found.

    Attributes:
        rows: predictions that were new since the look before.
        measurements: of the monitors that were due, in the order of the measuring.
        silence: why nothing of the prediction log is to be measured now, or any more, in words.
        again_at: before this time no monitor will be due; `None` where the next look may already have something.
    """

    rows: int
    measurements: tuple[Measurement, ...]
    silence: str
    again_at: datetime | None = None


def evaluate(
    stores: Stores,
    model: str,
    monitors: Sequence[Monitor],
    *,
    label_delay: timedelta | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Take in what is new, and let each monitor measure the windows that have ended since its last look.

    Each window of a monitor, and each score job, is measured once, whatever is killed when; a monitor that cannot
    measure says so in its measurement, and hinders no other.

    Args:
        monitors: as the model declares them.
        label_delay: as the model declares it.
        stopping: asked before each window, of which there may be many where nobody looked for long; those that are
            left when it says so are measured by the next look.
    """
    of_jobs = evaluate_jobs(stores, model, monitors, label_delay=label_delay)
    of_log = _evaluate_log(stores, model, monitors, label_delay, stopping)
    found = sorted((*of_log.measurements, *of_jobs), key=lambda one: one.at)
    if found:
        merge_measurements(stores.tables, model, stores.clock.now())
    return replace(of_log, measurements=tuple(found))


def _evaluate_log(
    stores: Stores,
    model: str,
    monitors: Sequence[Monitor],
    label_delay: timedelta | None,
    stopping: Callable[[], bool],
) -> Evaluation:
    tables, now = stores.tables, stores.clock.now()
    if not tables.exists(predictions_table(model)):
        return Evaluation(0, (), "none of its answers has been stored yet")
    again_at = next_look(monitors, now)
    idle = f"no monitor is due before {again_at:%Y-%m-%d %H:%M} UTC; they look at the end of their windows"
    until = all_measured_until(tables, model, [monitor.name for monitor in monitors])
    if not any(is_due(one, measured_until=until[one.name], now=now) for one in monitors) and not has_news(
        tables, model
    ):
        return Evaluation(0, (), idle, again_at)
    context = open_context(stores, model, now, label_delay)
    if context is None:
        return Evaluation(0, (), f"it has no champion; promote a release of it: mainspring promote {model}@N")
    slices = sorted({monitor.by for monitor in monitors if monitor.by and monitor.kind in _BY_SKETCHES})
    rows = update_hours(tables, model, context.manifests, now=now, slices=slices)
    hours = rows_by_hour(tables, model, until=now)
    first = hours[0][0] if hours else None
    due: list[tuple[Monitor, list[tuple[int, Window]]]] = []
    for monitor in monitors:
        before = until[monitor.name]
        windows = due_windows(monitor, measured_until=before, now=now, first=first, hours=hours)
        if windows:
            due.append((monitor, windows))
    if not due:
        return Evaluation(rows, (), idle, again_at)
    found, last = _measured(context, due, stopping)
    if not last:
        return Evaluation(rows, (), idle)
    ticks = {name: (until[name], tick) for name, tick in last.items()}
    write_measurements(tables, model, found, ticks=ticks)
    # After the measurements: who is killed in between looks at some labels once more, and knows them by then.
    known = {name: state for name, state in context.states.items() if name in ticks}
    stores.records.put_monitor_states(model, known)
    return Evaluation(rows, tuple(found), idle, again_at)


def _measured(
    context: Context, due: Sequence[tuple[Monitor, Sequence[tuple[int, Window]]]], stopping: Callable[[], bool]
) -> tuple[list[Measurement], dict[str, int]]:
    """What the monitors say of the windows that are due for each, and by monitor the tick of the last of them."""
    waits = dict.fromkeys(MonitorKind, timedelta(0))
    if any(monitor.kind in _BY_LABELS for monitor, _ in due):
        # Once for all monitors: it reads the labels of two weeks.
        waits |= dict.fromkeys(_BY_LABELS, label_wait(context))
    found: list[Measurement] = []
    last: dict[str, int] = {}
    for monitor, windows in due:
        wait = waits[monitor.kind]
        for tick, window in windows:
            if stopping():
                return found, last
            at = replace(context, now=datetime.fromtimestamp(tick, UTC))
            shifted = Window(window.start - wait, window.end - wait)
            found += measured(at, monitor, shifted)
            last[monitor.name] = tick
    return found, last
