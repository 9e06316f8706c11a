"""How far apart two distributions are: of shares by category or bin, and of numbers.

None of them is a test: a distance does not grow with the number of rows, and says whether a difference matters,
where a p-value (`count_tests`, `two_sample_tests`) says whether there is one.

Shares are float64 [k], not negative, in the same order of categories for both. They need not sum to exactly 1:
each distance is a sum (or maximum) of terms that are not negative, so that what is known only within an error can
be brought together first (`towards`) and the distance stays a lower bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from mainspring.stats.samples import Sample, counts_at

Floats = NDArray[np.float64]

EMPTY_SHARE = 1e-4  # stands for a share of 0 in the PSI, whose logarithm has no value there


def psi(reference: Floats, current: Floats, *, empty: float = EMPTY_SHARE) -> float:
    """The population stability index, Σ (q − p)·ln(q/p): the Kullback–Leibler divergence, both ways.

    By convention under 0.1 is stable and over 0.25 has changed (Siddiqi 2006). A share of 0 counts as `empty`.

    Examples:
        >>> round(psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])), 4)
        0.0405
    """
    p = np.where(reference > 0, reference, empty)
    q = np.where(current > 0, current, empty)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(reference: Floats, current: Floats) -> float:
    """The Jensen–Shannon distance: the root of the divergence to base 2, from 0 to 1 (Endres, Schindelin 2003).

    Examples:
        >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
        1.0
    """
    middle = (reference + current) / 2
    safe = np.where(middle > 0, middle, 1.0)
    terms = xlogy(reference, reference / safe) + xlogy(current, current / safe)
    return float(np.sqrt(max(terms.sum() / 2 / np.log(2), 0.0)))


def hellinger(reference: Floats, current: Floats) -> float:
    """The Hellinger distance, √(½ Σ (√p − √q)²), between 0 and 1.

    Examples:
        >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
        1.0
    """
    return float(np.sqrt(np.square(np.sqrt(reference) - np.sqrt(current)).sum() / 2))


def l_infinity(reference: Floats, current: Floats) -> float:
    """The greatest change of any one share.

    Examples:
        >>> round(l_infinity(np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.4, 0.2])), 9)
        0.2
    """
    return float(np.abs(reference - current).max(initial=0.0))


def total_variation(reference: Floats, current: Floats) -> float:
    """Half the sum of all changes: the share of rows that would have to change their category.

    Examples:
        >>> round(total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.4, 0.2])), 9)
        0.2
    """
    return float(np.abs(reference - current).sum() / 2)


def cohens_w(reference: Floats, current: Floats) -> float:
    """Cohen's effect of a chi-squared test, √Σ (q − p)²/m, with the mean of both shares as m.

    Cohen 1988, chapter 7, divides by p; so it would have no value where a category is new. Between 0 and 2; 0.1
    is a small effect, 0.3 a medium one.

    Examples:
        >>> round(cohens_w(np.array([0.5, 0.5]), np.array([0.55, 0.45])), 3)
        0.1
    """
    middle = (reference + current) / 2
    return float(np.sqrt((np.square(reference - current) / np.where(middle > 0, middle, 1.0)).sum()))


def kolmogorov_smirnov(first: Sample, second: Sample) -> float:
    """The greatest difference D of the two empirical distribution functions.

    Examples:
        >>> kolmogorov_smirnov(Sample.of([1.0, 2.0]), Sample.of([2.0, 3.0, 4.0, 5.0]))
        0.75
    """
    return float(np.abs(_differences(first, second)[1]).max(initial=0.0))


def wasserstein(first: Sample, second: Sample, *, share_error: float = 0.0) -> float:
    """The area between the two distribution functions: how far the mass has to be moved (Wasserstein-1).

    Args:
        share_error: differences of the two functions up to this count as none.

    Examples:
        >>> wasserstein(Sample.of([0.0, 1.0]), Sample.of([5.0, 6.0]))
        5.0
    """
    values, differences = _differences(first, second)
    return float((np.maximum(np.abs(differences[:-1]) - share_error, 0.0) * np.diff(values)).sum())


def bin_edges(sample: Sample, bins: int = 10) -> Floats:
    """Edges that cut the sample into about equal parts, each frequent value in one of its own.

    Returns:
        The inner edges, ascending; each is the greatest value of its bin. A value as frequent as a bin has one
        edge at itself and one just below, so that a shift away from it is seen on either side.

    Examples:
        >>> bin_edges(Sample.of([1.0, 2.0, 3.0, 4.0]), bins=2).tolist()
        [2.0]
        >>> shares_between(Sample.of([4.0, 5.0, 6.0, 6.0]), bin_edges(Sample.of([5.0, 5.0]))).tolist()
        [0.25, 0.25, 0.5]
    """
    values, place = np.unique(sample.values, return_inverse=True)
    shares = np.bincount(place, weights=sample.weights) / sample.size
    cuts = np.searchsorted(np.cumsum(shares), np.arange(1, bins) / bins - 1e-12)
    edges = values[np.unique(cuts)]
    frequent = values[shares >= 1 / bins] if bins > 2 else values[:0]
    edges = edges[edges < values[-1]]
    found: Floats = np.unique(np.concatenate([edges, frequent, np.nextafter(frequent, -np.inf)]))
    return found


def shares_between(sample: Sample, edges: Floats) -> Floats:
    """The shares [b] of the rows in each bin; a bin holds its upper edge, and the outer ones have no end.

    Examples:
        >>> shares_between(Sample.of([1.0, 2.0, 3.0, 9.0]), np.array([2.0, 8.0])).tolist()
        [0.5, 0.25, 0.25]
    """
    places = np.searchsorted(edges, sample.values, side="left")
    shares: Floats = np.bincount(places, weights=sample.weights, minlength=edges.size + 1) / sample.size
    return shares


def towards(reference: Floats, current: Floats, error: float | Floats) -> Floats:
    """The current shares moved towards the reference's by as much as they may be wrong.

    Examples:
        >>> towards(np.array([0.5, 0.5]), np.array([0.7, 0.49]), 0.05).round(3).tolist()
        [0.65, 0.5]
    """
    change = current - reference
    moved: Floats = reference + np.sign(change) * np.maximum(np.abs(change) - error, 0.0)
    return moved


def _differences(first: Sample, second: Sample) -> tuple[Floats, Floats]:
    values, ones, others = counts_at(first, second)
    return values, np.cumsum(ones) / first.size - np.cumsum(others) / second.size
