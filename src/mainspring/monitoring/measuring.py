"""One monitor's look at one window, by its kind; a look that fails says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor, MonitorKind
from mainspring.errors import MainspringError
from mainspring.monitoring.context import Context

_LOG = logging.getLogger("mainspring.monitoring")

Measure = Callable[[Context, Monitor, Window], list[Measurement]]


def measured(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """What the monitor says of the window, or one measurement that says why it says nothing."""
    try:
        return _measures()[monitor.kind](context, monitor, window)
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
