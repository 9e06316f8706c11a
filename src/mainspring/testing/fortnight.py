"""A fortnight of a model that picks up a drift after nine days: what the tests of the report look at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import AlertSeverity, MonitorKind
from mainspring.domain.schema import Kind
from mainspring.monitoring.report.contents import Report, build_report
from mainspring.monitoring.report.picture import FeaturePicture, feature_picture
from mainspring.stats.profile import ColumnProfile

END = datetime(2026, 7, 22, 9, tzinfo=UTC)
PERIOD = Window(END - timedelta(days=14), END)
BROKE = END - timedelta(days=5)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LABEL_DELAY = timedelta(days=2)
INPUTS = (
    "price", "age", "device", "hour", "country", "visits", "brightness", "session_seconds", "is_member",
    "referrer", "days_since_signup", "basket",
)  # fmt: skip


@dataclass(frozen=True)
class Fortnight:
    """The plain inputs of a report."""

    measurements: tuple[Measurement, ...]
    alerts: tuple[Alert, ...]
    pictures: tuple[FeaturePicture, ...]
    volume: tuple[tuple[datetime, int], ...]

    def report(self, **changed: Any) -> Report:
        given: dict[str, Any] = {
            "period": PERIOD,
            "generated_at": END + timedelta(minutes=3),
            "measurements": self.measurements,
            "alerts": self.alerts,
            "pictures": self.pictures,
            "volume": self.volume,
        } | changed
        return build_report("adclick", **given)


def fortnight(*, broken: bool = True, inputs: tuple[str, ...] = INPUTS, every: timedelta = HOUR) -> Fortnight:
    """Looks at sliding days.

    Args:
        broken: whether the first input shifts five days before the end.
        every: how often it is looked.
    """
    rng = np.random.default_rng(7)
    ends = [END - place * every for place in range(int(14 * DAY / every) - 1, -1, -1)]
    measurements = [
        *_drift(rng, ends, broken, inputs),
        *_performance(rng, ends, broken),
        *_others(rng, ends, broken),
    ]
    hours = (END - place * HOUR for place in range(14 * 24, 0, -1))
    volume = tuple((hour, _rows(hour, rng)) for hour in hours)
    return Fortnight(
        tuple(measurements),
        _alerts(measurements, inputs[0]) if broken else (),
        _pictures(rng, broken, inputs),
        volume,
    )


def measured(monitor: str, kind: MonitorKind, subject: str, end: datetime, **more: Any) -> Measurement:
    """A measurement of the day up to `end`, made at `end`."""
    given: dict[str, Any] = {"at": end, "state": State.FINE, "rows": 48_000} | more
    return Measurement(monitor, str(kind), subject, Window(end - DAY, end), **given)


def _since_break(end: datetime) -> float:
    """How much of the day up to `end` lies after the break."""
    return min(1.0, max(0.0, (end - BROKE) / DAY))


def _rows(end: datetime, rng: np.random.Generator) -> int:
    daily = 1 + 0.7 * np.sin((end.hour - 9) / 24 * 2 * np.pi)
    weekend = 0.7 if end.weekday() >= 5 else 1.0
    return int(rng.poisson(2_000 * daily * weekend))


def _drift(
    rng: np.random.Generator, ends: list[datetime], broken: bool, inputs: tuple[str, ...]
) -> Iterator[Measurement]:
    for place, name in enumerate(inputs):
        for end in ends:
            value = abs(rng.normal(0.012, 0.004))
            if broken and place == 0:
                value += 0.27 * _since_break(end)
            bad = value > 0.1
            yield measured(
                "drift", MonitorKind.DRIFT, name, end, method="KS", value=value, bar=0.1, release=7,
                p_value=1e-9 if bad else 0.4, state=State.BAD if bad else State.FINE,
            )  # fmt: skip
    for end in ends:
        yield measured(
            "drift", MonitorKind.DRIFT, f"{inputs[0]}: missing", end, method="share", release=7, bar=0.02,
            value=abs(rng.normal(0.002, 0.0005)), reference=0.002,
        )  # fmt: skip
        value = 0.02 + (0.05 * _since_break(end) if broken else 0.0) + rng.normal(0, 0.003)
        yield measured(
            "prediction",
            MonitorKind.PREDICTION,
            "probability:yes",
            end,
            method="KS",
            value=value,
            bar=0.1,
            release=7,
        )


def _performance(rng: np.random.Generator, ends: list[datetime], broken: bool) -> Iterator[Measurement]:
    for end in ends:
        hurt = 0.07 if broken else 0.0
        true = 0.812 - hurt * _since_break(end) + rng.normal(0, 0.002)
        guess = 0.809 - 0.8 * hurt * _since_break(end) + rng.normal(0, 0.0015)
        yield measured(
            "estimate_roc_auc", MonitorKind.ESTIMATE, "roc_auc", end, method="CBPE", estimated=True, release=7,
            value=guess, low=guess - 0.006, high=guess + 0.006, bar=0.78, reference=0.815,
            state=State.BAD if guess < 0.78 else State.FINE,
        )  # fmt: skip
        if end > END - LABEL_DELAY:
            yield measured(
                "performance_roc_auc", MonitorKind.PERFORMANCE, "roc_auc", end, release=7, state=State.UNKNOWN,
                rows=9_000, note="19 % of the labels are in, 80 % are needed",
            )  # fmt: skip
            continue
        yield measured(
            "performance_roc_auc", MonitorKind.PERFORMANCE, "roc_auc", end, release=7, value=true,
                low=true - 0.009,
            high=true + 0.009, bar=0.78, reference=0.815, state=State.BAD if true + 0.009 < 0.78 else State.FINE,
        )  # fmt: skip
        for device, better in (("phone", -0.02), ("desktop", 0.02), ("tablet", 0.0)):
            value = true + better
            yield measured(
                "performance_roc_auc", MonitorKind.PERFORMANCE, "roc_auc", end, release=7, value=value,
                rows=14_000, low=value - 0.02, high=value + 0.02, bar=0.78, slice={"device": device},
                state=State.BAD if value + 0.02 < 0.78 else State.FINE,
            )  # fmt: skip


def _others(rng: np.random.Generator, ends: list[datetime], broken: bool) -> Iterator[Measurement]:
    for end in ends:
        revenue = 0.0412 - (0.006 * _since_break(end) if broken else 0) + rng.normal(0, 0.0004)
        yield measured(
            "revenue_per_request", MonitorKind.BUSINESS, "revenue_per_request", end, value=revenue,
            low=revenue - 0.001,
            high=revenue + 0.001, bar=0.035, release=7,
        )  # fmt: skip
        gap = 0.04 + rng.normal(0, 0.004)
        yield measured(
            "fairness_positive_rate", MonitorKind.FAIRNESS, "positive_rate", end, value=gap, low=gap - 0.012,
            high=gap + 0.012, bar=0.1,
        )  # fmt: skip
        for sex, rate in (("female", 0.21), ("male", 0.25)):
            yield measured(
                "fairness_positive_rate", MonitorKind.FAIRNESS, "positive_rate", end, release=None,
                value=rate + rng.normal(0, 0.003),
                low=rate - 0.01, high=rate + 0.01, slice={"sex": sex},
            )  # fmt: skip
        burst = timedelta(0) < end - (END - timedelta(days=8, hours=3)) <= timedelta(hours=6)
        for quantity, value, bar in (
            ("latency_p50", 0.0011 + abs(rng.normal(0, 0.0001)), None),
            ("latency_p99", 0.0043 + abs(rng.normal(0, 0.0006)), 0.02),
            ("error_share", 0.0004 + abs(rng.normal(0, 0.0001)) + 0.03 * burst, 0.01),
            ("log_lag", 1.2 + abs(rng.normal(0, 0.5)), 60.0),
            ("log_drops", 0.0, 0.0),
        ):
            state = State.BAD if bar is not None and value > bar else State.FINE
            yield measured(quantity, MonitorKind.TECHNICAL, quantity, end, value=value, bar=bar, state=state)
        yield measured(
            "feature_age", MonitorKind.TECHNICAL, "feature_age", end, state=State.UNKNOWN, rows=0,
            note="no stored features: the model has no feature view",
        )  # fmt: skip


def _alerts(measurements: list[Measurement], drifted: str) -> tuple[Alert, ...]:
    cause = next(one for one in reversed(measurements) if one.subject == drifted and one.state is State.BAD)
    error = next(one for one in measurements if one.subject == "error_share" and one.state is State.BAD)
    firing = Alert(
        id="0198f1c2-7a10-7c3e-9a51-3f0c5d2e8b44", model="adclick", monitor="drift", owner="pricing team",
        severity=AlertSeverity.WARNING, state=AlertState.FIRING, since=BROKE + timedelta(hours=9),
        fired_at=BROKE + timedelta(hours=9), last_seen=END,
        causes=(replace(cause, example={"range": "60 to 80", "reference": "8 %", "window": "27 %"}),),
    )  # fmt: skip
    resolved = Alert(
        id="0198e0d1-11aa-7b2c-8d11-aa0c5d2e1234", model="adclick", monitor="error_share",
        severity=AlertSeverity.CRITICAL, state=AlertState.RESOLVED, since=error.at, fired_at=error.at,
        last_seen=error.at + 6 * HOUR, resolved_at=error.at + 8 * HOUR, causes=(error,),
    )  # fmt: skip
    return firing, resolved


def _pictures(rng: np.random.Generator, broken: bool, inputs: tuple[str, ...]) -> tuple[FeaturePicture, ...]:
    pictures: list[FeaturePicture] = []
    for place, name in enumerate(inputs):
        if place >= len(INPUTS):  # many inputs look like the first few
            pictures.append(replace(pictures[1 + place % (len(INPUTS) - 1)], name=name))
            continue
        kind = Kind.CATEGORY if name in ("device", "country", "referrer") else Kind.NUMBER
        reference, window = ColumnProfile(kind), ColumnProfile(kind)
        if kind is Kind.CATEGORY:
            reference.add_counts({"phone": 6_000, "desktop": 3_000, "tablet": 1_000}, missing=20)
            window.add_counts({"phone": 29_000, "desktop": 14_000, "tablet": 4_900, "tv": 100}, missing=90)
        else:
            shift = 9.0 if broken and place == 0 else 0.0
            reference.add_numbers(np.where(rng.random(20_000) < 0.002, np.nan, rng.normal(42, 14, 20_000)))
            window.add_numbers(np.where(rng.random(48_000) < 0.002, np.nan, rng.normal(42 + shift, 15, 48_000)))
        pictures.append(feature_picture(name, reference, window))
    return tuple(pictures)
