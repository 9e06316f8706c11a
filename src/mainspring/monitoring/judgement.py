"""Whether a figure is bad: not when chance may have made it so, however often one looks.

| the figure | it is |
| --- | --- |
| on the right side of the bar, or its 95 % interval reaches it | fine |
| its 95 % interval lies beyond the bar | unknown: of many looks some end so by chance |
| so does its interval at the surety of a repeated look | bad |

The surety is that at which a monitor fires `FALSE_ALERTS_PER_YEAR` times a year where the figure stands on its bar
for ever. Since the middle row is unknown, an alert that fires ends only when the figure's interval reaches the bar
again, and a figure that wavers near its bar does not raise one and end it by turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from scipy.special import ndtri

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.stats.multiple import FALSE_ALERTS_PER_YEAR, alpha_per_look

CONFIDENCE = 0.95  # of the intervals that are shown
SHOWN = float(ndtri(0.5 + CONFIDENCE / 2))  # their half width in standard errors
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval; `None` where it could not be measured."""

    value: float | None
    low: float | None
    high: float | None
    rows: int

    @property
    def facts(self) -> dict[str, float | int | None]:
        """As fields of a measurement."""
        return {"value": self.value, "low": self.low, "high": self.high, "rows": self.rows}


def surety(monitor: Monitor, figures: int = 1) -> float:
    """How many standard errors beyond its bar a figure must lie to be bad.

    Args:
        figures: how many are judged at each look.

    Examples:
        >>> round(surety(Monitor.performance("roc_auc", every="1h")), 2)
        4.08
    """
    looks = _YEAR / parse_duration(monitor.every)
    return float(-ndtri(alpha_per_look(FALSE_ALERTS_PER_YEAR, max(1.0, looks), max(1, figures))))


def judge(
    figure: Figure, bar: float | None, *, greater_is_better: bool, surety: float, of_bar: Figure | None = None
) -> tuple[State, str]:
    """What a figure says, and what there is to know about it.

    Args:
        bar: the last value that is fine; without one all are.
        surety: as the function of that name gives it.
        of_bar: the figure that the bar comes from, which is not known for sure either.

    Examples:
        >>> judge(Figure(0.60, 0.59, 0.61, 9000), 0.70, greater_is_better=True, surety=4.0)
        (<State.BAD: 'bad'>, '')
        >>> judge(Figure(0.69, 0.64, 0.74, 300), 0.70, greater_is_better=True, surety=4.0)[0]
        <State.FINE: 'fine'>
    """
    if figure.value is None:
        return State.UNKNOWN, f"it is not defined on these {figure.rows:,} rows"
    if bar is None:
        return State.FINE, ""
    value, sign = figure.value, 1.0 if greater_is_better else -1.0
    beyond = sign * (bar - value)
    if beyond <= 0:
        return State.FINE, ""
    if figure.low is None or figure.high is None:
        return State.UNKNOWN, f"it lies beyond its bar, and {figure.rows:,} rows give no interval"
    reach = figure.high - value if greater_is_better else value - figure.low
    if of_bar is not None and of_bar.value is not None and of_bar.low is not None and of_bar.high is not None:
        # Independent rows: the errors of the difference add up as squares do.
        reach = math.hypot(reach, of_bar.value - of_bar.low if greater_is_better else of_bar.high - of_bar.value)
    if beyond > reach * max(1.0, surety / SHOWN):
        return State.BAD, ""
    if beyond > reach:
        return (
            State.UNKNOWN,
            "it lies beyond its bar, though of many looks some end so by chance; the next ones tell",
        )
    return State.FINE, f"it lies beyond its bar by no more than chance in {figure.rows:,} rows"


def judge_between(figure: Figure, monitor: Monitor, *, figures: int = 1) -> tuple[State, str, float | None]:
    """`judge` by the bars that the user gave, of which there may be two; and the bar that it was judged by.

    Examples:
        >>> watched = Monitor.technical("label_share", at_least=0.2, at_most=0.4)
        >>> judge_between(Figure(0.9, 0.8, 0.95, 300), watched)
        (<State.BAD: 'bad'>, '', 0.4)
    """
    sure = surety(monitor, figures)
    bars = [
        (bar, greater) for bar, greater in ((monitor.at_least, True), (monitor.at_most, False)) if bar is not None
    ]
    if not bars:
        return *judge(figure, None, greater_is_better=True, surety=sure), None
    found = [(*judge(figure, bar, greater_is_better=greater, surety=sure), bar) for bar, greater in bars]
    order = (State.BAD, State.UNKNOWN, State.FINE)
    return min(found, key=lambda one: order.index(one[0]))
