"""Detectors of a change in a stream: river's on errors, our own on residuals; plain JSON between looks.

river's detectors have no form that could be stored without pickle. Each forgets everything when it has found
something, so what came since then, fed to a new one, makes it what it was; of a long quiet time the older half is
forgotten. Where that happens depends on the count of values alone: fed in any portions, the findings are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import DeclarationError
from mainspring.stats.change import ChangeDetector

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """A change.

    Attributes:
        index: of the value at which it was seen, counted from 0 over all values ever fed.
        since: the index of the first value after it, as far as the detector tells.
        before, after: the means on either side; `None` where the detector keeps none.
        column: of the values, that changed.
    """

    index: int
    since: int
    before: float | None = None
    after: float | None = None
    column: int = 0


_FALSE_ALARMS = 0.1  # in a million values of a stream that does not change


class Detector(Protocol):
    """Attributes:
    seen: values ever fed.
    """

    seen: int

    @property
    def ready(self) -> bool:
        """Whether it knows enough of what is usual to see a change."""
        ...

    def update(self, values: Floats) -> list[Found]: ...

    def to_dict(self) -> dict[str, Any]: ...


def detector_of(method: str, state: Mapping[str, Any] | None = None) -> Detector:
    """The detector of that name, going on from its state.

    Raises:
        DeclarationError: it needs river, which is not installed.
        ValueError: the state is of another version.
    """
    if method == "residual":
        return ResidualDetector(**(state or {}))
    return RiverDetector(
        method, () if state is None else state["kept"], 0 if state is None else int(state["seen"])
    )


class ResidualDetector:
    """Our own: a change of the mean of the signed residual, and of any other column beside it.

    The columns share the rate of false alarms that is borne. What one of them finds is the change that another has
    told of already, where it began before that was seen.

    Args:
        columns: the state of each column's detector; none before the first values.
        told: the index at which the last change was seen, and the column that told of it.
    """

    def __init__(self, columns: Sequence[Mapping[str, Any]] = (), told: Sequence[int] = (-1, 0)) -> None:
        self._columns = [ChangeDetector.from_dict(one) for one in columns]
        self._told, self._teller = told
        # A block is not taken in before it is whole.
        self.seen = self._columns[0].seen + len(columns[0]["pending"]) if columns else 0

    @property
    def ready(self) -> bool:
        return bool(self._columns) and self._columns[0].watches

    def update(self, values: Floats) -> list[Found]:
        """Take in values [n] or [n, columns], always of the same form."""
        columns = values.reshape(len(values), -1).T
        if not self._columns:
            rate = _FALSE_ALARMS / len(columns)
            self._columns = [ChangeDetector(false_alarms_per_million=rate) for _ in columns]
        self.seen += len(values)
        seen = [
            Found(one.index, one.since, one.before_mean, one.after_mean, number)
            for number, (detector, column) in enumerate(zip(self._columns, columns, strict=True))
            for one in detector.update(column)
        ]
        return [one for one in sorted(seen, key=lambda one: (one.index, one.column)) if self._is_new(one)]

    def to_dict(self) -> dict[str, Any]:
        return {"columns": [one.to_dict() for one in self._columns], "told": [self._told, self._teller]}

    def _is_new(self, found: Found) -> bool:
        if found.since <= self._told and found.column != self._teller:
            return False
        self._told, self._teller = found.index, found.column
        return True


class RiverDetector:
    """One of river's, on the error.

    Args:
        method: `adwin`, `page_hinkley`, `kswin` or `ddm`.
        kept: the values since its last finding.
        seen: how many values it was ever fed.

    Raises:
        DeclarationError: river is not installed.
    """

    def __init__(self, method: str, kept: Any = (), seen: int = 0) -> None:
        self._make = _river(method)
        self._memory = _MEMORY[method]
        self._kept: list[float] = []
        self._detector = self._make()
        self.seen = seen
        for value in kept:
            self._feed(float(value))

    @property
    def ready(self) -> bool:
        return self.seen >= _WARM

    def update(self, values: Floats) -> list[Found]:
        """Take in values [n] in their order; what is not finite counts as no value."""
        found = []
        for value in np.asarray(values, dtype=np.float64).tolist():
            if value - value == 0 and self._feed(value):
                found.append(Found(self.seen, self.seen))
            self.seen += 1
        return found

    def to_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "kept": list(self._kept)}

    def _feed(self, value: float) -> bool:
        self._kept.append(value)
        self._detector.update(value)
        if self._detector.drift_detected:
            self._restart([])
            return True
        if len(self._kept) >= self._memory:
            self._restart(self._kept[self._memory // 2 :])
        return False

    def _restart(self, values: list[float]) -> None:
        self._kept, self._detector = [], self._make()
        for value in values:
            self._feed(value)  # a change that is seen only now, without the older half, is none


_WARM = 200  # values; what KSWIN's window is, and more than the others wait for
_MEMORY = {"adwin": 20_000, "page_hinkley": 20_000, "ddm": 20_000, "kswin": 1_000}  # KSWIN itself keeps 100 values


def _river(method: str) -> Callable[[], Any]:
    try:
        from river import drift
        from river.drift import binary
    except ImportError as error:
        raise DeclarationError(
            f"the detector {method!r} is river's, which is not installed",
            cure="pip install 'mainspring[monitor]' where the monitors run, or use the detector residual",
        ) from error
    made: dict[str, Callable[[], Any]] = {
        "adwin": drift.ADWIN,
        "page_hinkley": lambda: drift.PageHinkley(mode="up"),  # an error that falls is no harm
        "kswin": lambda: drift.KSWIN(alpha=0.0001, window_size=200, stat_size=100, seed=1),
        "ddm": binary.DDM,
    }
    return made[method]
