"""Monitors as users declare them: what is refused, and how it is said."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from mainspring.domain.model import Model
from mainspring.domain.monitor import DEFAULT_MONITORS, AlertSeverity, Monitor, MonitorKind
from mainspring.domain.source import Source
from mainspring.errors import DeclarationError


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: Monitor.drift(method="kl"), "'kl' is not known; use one of: auto, psi"),
        (lambda: Monitor.drift(windw="1d"), "Monitor.drift() has no 'windw'"),
        (lambda: Monitor.drift(window="often"), "'often' is not a duration"),
        (lambda: Monitor.drift(window="0s"), "is '0s'"),
        (lambda: Monitor.drift(every="0m"), "is '0m'"),
        (lambda: Monitor.drift(reference="yesterday"), "'yesterday' is no past time; use release, previous"),
        (lambda: Monitor.drift(reference="2026-02-01/2026-01-01"), "is no past time"),
        (lambda: Monitor.drift(at_most=float("nan")), "is nan"),
        (lambda: Monitor.drift(min_rows=0), "is under 1"),
        (lambda: Monitor.drift(min_label_share=1.5), "is 1.5"),
        (lambda: Monitor.drift(severity="fatal"), "'fatal' is not known; use one of: info, warning, critical"),
        (lambda: Monitor.drift(name="9"), "'9' is not valid"),
        (lambda: Monitor.performance("auc"), "'auc' is not a metric"),
        (lambda: Monitor.performance("log_loss", at_least=0.3), "of log_loss less is better; use at_most"),
        (lambda: Monitor.performance("roc_auc", at_least=0.7, margin=0.1), "has a bar and a margin"),
        (lambda: Monitor.concept("cusum"), "'cusum' is not known"),
        (lambda: Monitor.technical("speed"), "'speed' is not known"),
        (lambda: Monitor.business("revenue"), "is no function"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_cure(declare: Callable[[], Monitor], told: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(told)) as refused:
        declare()
    assert refused.value.cure


def test_what_is_declared_is_kept() -> None:
    monitor = Monitor.performance(
        "roc_auc", at_least=0.68, by="device", window="5000 rows", severity="critical", for_="2h", owner="ana"
    )
    assert (monitor.kind, monitor.name, monitor.subject) == (
        MonitorKind.PERFORMANCE,
        "performance_roc_auc",
        "roc_auc",
    )
    assert (monitor.by, monitor.window_rows, monitor.window_length) == (("device",), 5000, None)
    assert monitor.severity is AlertSeverity.CRITICAL
    assert Monitor.drift(window="36h").window_length == timedelta(hours=36)
    assert Monitor.performance("rmse").margin == 0, "no worse than the release's own figure"
    assert Monitor.performance("rmse", at_most=3).margin is None
    assert Monitor.calibration().at_most == 0.05


def test_a_model_that_declares_none_is_watched_all_the_same() -> None:
    def model(**given: object) -> Model:
        return Model("shop", source=Source("rows.csv"), target="bought", **given)  # type: ignore[arg-type]

    assert model().watched == DEFAULT_MONITORS
    assert model(monitors=[]).watched == ()
    with pytest.raises(DeclarationError, match="two monitors 'drift'"):
        model(monitors=[Monitor.drift(), Monitor.drift(["age"])])
