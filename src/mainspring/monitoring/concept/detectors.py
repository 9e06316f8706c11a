"""Detectors of a change in a stream: river's on errors, our own on residuals; plain JSON between looks.

river's detectors have no form that could be stored without pickle. Each forgets everything when it has found
something, so what came since then, fed to a new one, makes it what it was; of a long quiet time the older half is
forgotten. Where that happens depends on the count of values alone: fed in any portions, the findings are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """

    index: int
    since: int
    before: float | None = None
    after: float | None = None


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
        return ResidualDetector(ChangeDetector() if state is None else ChangeDetector.from_dict(state))
    return RiverDetector(
        method, () if state is None else state["kept"], 0 if state is None else int(state["seen"])
    )


class ResidualDetector:
    """Our own, on the signed residual: the mean of truth less prediction."""

    def __init__(self, detector: ChangeDetector) -> None:
        self._detector = detector
        self.seen = detector.seen + len(
            detector.to_dict()["pending"]
        )  # a block is not taken in before it is whole

    @property
    def ready(self) -> bool:
        return self._detector.watches

    def update(self, values: Floats) -> list[Found]:
        self.seen += values.size
        return [
            Found(one.index, one.since, one.before_mean, one.after_mean) for one in self._detector.update(values)
        ]

    def to_dict(self) -> dict[str, Any]:
        return self._detector.to_dict()


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
