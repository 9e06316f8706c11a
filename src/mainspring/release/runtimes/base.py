"""What every runtime of a release can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # gateway workers have no polars
    import polars as pl


@runtime_checkable
class Runtime(Protocol):
    """Answers rows with the release's outputs: probabilities by class, or one value.

    Law: safe to call from several threads; the answers are those of the original estimator within the release's
    tolerance, whatever the batch they come in (a row alone may differ from the same row among others in the last
    place, where vector instructions round otherwise).
    """

    def predict_rows(self, rows: Sequence[Mapping[str, object]]) -> npt.NDArray[np.float64]:
        """Outputs of wire rows, float64 `[rows, k]`. Raises `InvalidInput`."""
        ...

    def predict_frame(self, frame: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Outputs of typed rows, as a snapshot has them, float64 `[rows, k]`."""
        ...

    def close(self) -> None:
        """Give everything back; a closed runtime is not asked again. Closing twice does nothing."""
        ...
