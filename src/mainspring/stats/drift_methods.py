"""The distances by which a drift can be measured, each with the greatest value that does not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mainspring.stats import distances

Floats = NDArray[np.float64]

AUTO = "auto"
KS = "ks"
WASSERSTEIN = "wasserstein"
CHI_SQUARED = "chi_squared"

THRESHOLDS: dict[str, float] = {
    KS: 0.05,  # a shift of an eighth of a standard deviation
    WASSERSTEIN: 0.1,  # in the reference's standard deviations
    CHI_SQUARED: 0.1,  # Cohen's w: a small effect (Cohen 1988)
    "psi": 0.1,  # stable, by the convention of credit scoring
    "jensen_shannon": 0.1,
    "hellinger": 0.1,
    "l_infinity": 0.05,
    "total_variation": 0.05,
}
"""Methods and the greatest effects that do not matter."""

OF_SAMPLES = (KS, WASSERSTEIN)  # need numbers

OF_SHARES: dict[str, Callable[[Floats, Floats], float]] = {
    CHI_SQUARED: distances.cohens_w,
    "psi": distances.psi,
    "jensen_shannon": distances.jensen_shannon,
    "hellinger": distances.hellinger,
    "l_infinity": distances.l_infinity,
    "total_variation": distances.total_variation,
}
