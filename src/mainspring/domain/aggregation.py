"""Aggregates over a window of time, as declared in a feature view."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mainspring.domain.durations import parse_duration
from mainspring.errors import DeclarationError

# A window's far end moves in steps, at least this many to a window.
_STEPS = 60
_STEP_LENGTHS = tuple(
    timedelta(seconds=seconds) for seconds in (1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400)
)


class AggregateFunction(StrEnum):
    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"  # the value of the newest event; of equals in time, the one created last
    DISTINCT = "distinct"  # how many different values


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One value made of the events of a key in a window of time up to now.

    At time `t` it takes the events later than `floor(t - over, step)` and not later than `t`, of those that had
    been created by `t`; `step` is about a sixtieth of the window (see `step`). The near end is exact; the far
    end moves in steps, so that an online store can keep sums of steps in place of events and both sides give
    the same value (the "sawtooth" windows of Chronon). Missing values are left out. Of no events at all,
    `count`, `sum` and `distinct` are 0, the others missing.

    Args:
        function: `count`, `sum`, `mean`, `min`, `max`, `last` or `distinct`.
        column: what is aggregated, a column of the source or a feature made by a function; not for `count`.
        over: the window's length, e.g. `1h`, `7d`.
        name: the feature's name, `<function>_<column>_<over>` where not given.

    Examples:
        >>> Aggregation("sum", "amount", over="7d").name, Aggregation("count", over="1h").name
        ('sum_amount_7d', 'count_1h')
        >>> Aggregation("count", over="1h").step, Aggregation("count", over="7d").step
        (datetime.timedelta(seconds=60), datetime.timedelta(seconds=3600))
    """

    function: AggregateFunction | str
    column: str | None = None
    over: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.function not in list(AggregateFunction):
            raise DeclarationError(
                f"Aggregation({self.function!r}) is not known", cure=f"use one of: {', '.join(AggregateFunction)}"
            )
        function = AggregateFunction(self.function)
        object.__setattr__(self, "function", function)
        if (self.column is None) != (function is AggregateFunction.COUNT):
            wrong = "counts events, and takes no column" if self.column else "needs a column"
            raise DeclarationError(
                f"Aggregation({str(function)!r}) {wrong}",
                cure='write e.g. Aggregation("sum", "amount", over="7d") or Aggregation("count", over="1h")',
            )
        if parse_duration(self.over) < timedelta(seconds=1):
            raise DeclarationError(
                f"Aggregation(over={self.over!r}) is too short", cure="give at least a second, e.g. 1h"
            )
        if not self.name:
            object.__setattr__(self, "name", "_".join(p for p in (str(function), self.column, self.over) if p))

    @property
    def length(self) -> timedelta:
        return parse_duration(self.over)

    @property
    def step(self) -> timedelta:
        """The greatest of the usual lengths of which at least sixty fit into the window; a second at least."""
        fitting = [length for length in _STEP_LENGTHS if length * _STEPS <= self.length]
        return fitting[-1] if fitting else _STEP_LENGTHS[0]
