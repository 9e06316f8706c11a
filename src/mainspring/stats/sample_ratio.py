"""Whether groups are of the sizes that they should be: a mismatch says that something sends rows astray.

Then no comparison of the groups can be believed: who was lost was hardly lost by chance. What is counted must be
what was assigned, a user or a key, and not each of his requests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, gammaln, xlogy

from mainspring.stats.sequential import mixture_rows

_ALPHA = 0.001  # of the mixture's tuning: a mismatch is claimed only when it is all but certain
_TUNED_TO = 1_000


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """How the counts fit the shares.

    Attributes:
        p_value: holds at all looks together: the chance that it is ever so small is no greater.
        fixed_p_value: by the chi-squared test, for one look at a number of rows that was fixed before.
        worst: the group that is furthest off, in its standard errors.
        excess: by how much of its expected count that group is larger; below zero where it is smaller.
    """

    p_value: float
    fixed_p_value: float
    worst: int
    excess: float


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Compare the groups' counts with their shares.

    The bet against the shares p is a Dirichlet–multinomial mixture of all others, with its mean at p (Lindon and
    Malek 2022): Γ(k)/Γ(k + n)·ΠΓ(k·p + c)/Γ(k·p) over Πp^c. Its inverse is the p-value.

    Args:
        shares: expected, in the order of the counts; they need not add up to 1.

    Raises:
        ValueError: fewer than two groups, a negative count, a share that is not over 0.

    Examples:
        >>> found = sample_ratio([50_000, 48_000], [1, 1])
        >>> found.p_value < 1e-6, found.fixed_p_value < 1e-9
        (True, True)
        >>> round(sample_ratio([50_100, 49_900], [0.5, 0.5]).fixed_p_value, 3)
        0.527
    """
    given, weights = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if given.size < 2 or given.size != weights.size or (given < 0).any() or not (weights > 0).all():
        raise ValueError(f"counts {list(counts)} of groups with shares {list(shares)} cannot be compared")
    expected_shares = weights / weights.sum()
    rows = float(given.sum())
    if not rows:
        return SampleRatio(1.0, 1.0, 0, 0.0)
    kept = mixture_rows(_ALPHA, _TUNED_TO)
    prior = kept * expected_shares
    log_fortune = float(
        gammaln(kept)
        - gammaln(kept + rows)
        + (gammaln(prior + given) - gammaln(prior) - xlogy(given, expected_shares)).sum()
    )
    expected = rows * expected_shares
    errors = (given - expected) / np.sqrt(expected * (1 - expected_shares))
    worst = int(np.argmax(np.abs(errors)))
    return SampleRatio(
        p_value=math.exp(-max(log_fortune, 0.0)),
        fixed_p_value=float(chdtrc(given.size - 1, float((np.square(given - expected) / expected).sum()))),
        worst=worst,
        excess=float(given[worst] / expected[worst] - 1),
    )
