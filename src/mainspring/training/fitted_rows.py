"""The rows of a window on disk, for the process that fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.stores.atomic import naming_a_full_disk
from mainspring.training.final_fit import SavedRows
from mainspring.training.windows import Moments, rows_of_rule


@dataclass(frozen=True, slots=True)
class FittedRows:
    """Some of the training rows.

    Attributes:
        places: int64, in the order of the training rows.
        weights: of each, where they are weighted.
    """

    places: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None

    def among(self, rows: NDArray[np.int64]) -> FittedRows:
        """The same rows, where these were counted within `rows` only."""
        return FittedRows(rows[self.places], self.weights)

    def save(self, folder: Path) -> SavedRows:
        """Write them into the folder.

        Raises:
            DiskFull: there is no room.
        """
        folder.mkdir(parents=True, exist_ok=True)
        places, weights = (folder.resolve() / name for name in ("rows.npy", "weights.npy"))
        with naming_a_full_disk("the rows of a window"):
            np.save(places, self.places, allow_pickle=False)
            if self.weights is None:
                return SavedRows(str(places))
            np.save(weights, self.weights, allow_pickle=False)
            return SavedRows(str(places), str(weights))


def fitted_rows(rule: dict[str, Any] | None, when: Moments | None) -> FittedRows | None:
    """The training rows that a rule takes; `None` where it takes all, and each counts once.

    Args:
        when: of each training row.
    """
    if rule is None or rule["kind"] == "all":
        return None
    assert when is not None, "a window was taken from rows whose time was known"
    return FittedRows(*rows_of_rule(rule, when))
