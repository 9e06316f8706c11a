"""Drift of a distribution of numbers, given as samples whose ranks may be off by a known number of rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.stats.distances import bin_edges, kolmogorov_smirnov, shares_between, wasserstein
from mainspring.stats.drift_methods import CHI_SQUARED, KS, OF_SHARES, THRESHOLDS, WASSERSTEIN
from mainspring.stats.drift_result import DISTRIBUTION, Component
from mainspring.stats.drift_shares import shares_drift
from mainspring.stats.profile import ColumnProfile
from mainspring.stats.samples import Sample, counts_at
from mainspring.stats.two_sample_tests import ks_p_value

Floats = NDArray[np.float64]

MOST_VALUES = 20  # of no more different ones, numbers are compared as categories: ties blunt the KS test


def number_drift(reference: ColumnProfile, current: ColumnProfile, method: str) -> Component:
    """The change of the finite numbers; both sides have some.

    Args:
        method: `auto` takes chi-squared where there are few different values, else KS.
    """
    samples = Sample.from_sketch(reference.quantiles), Sample.from_sketch(current.quantiles)
    few = _few_values(reference, current, samples)
    if few is not None and (method == "auto" or method in OF_SHARES):
        return _few_values_drift(few, samples, CHI_SQUARED if method == "auto" else method)
    error = samples[0].share_error + samples[1].share_error
    edges = bin_edges(samples[0])
    shares = shares_between(samples[0], edges), shares_between(samples[1], edges)
    distance = max(kolmogorov_smirnov(*samples) - error, 0.0)
    p_value = ks_p_value(distance, samples[0].size, samples[1].size)
    if method in OF_SHARES:
        sizes = samples[0].size, samples[1].size
        return shares_drift(
            shares[0] * sizes[0],
            shares[1] * sizes[1],
            method,
            rows=sizes,
            error=2 * error,  # a bin lies between two ranks
            describe=lambda place: _range(edges, place),
            p_value=p_value,
        )
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    example = _range(edges, most) | {"reference": float(shares[0][most]), "current": float(shares[1][most])}
    if method == WASSERSTEIN:
        effect = _scaled_wasserstein(samples, error)
        return Component(DISTRIBUTION, WASSERSTEIN, effect, THRESHOLDS[WASSERSTEIN], p_value, example=example)
    return Component(DISTRIBUTION, KS, distance, THRESHOLDS[KS], p_value, example=example)


def _few_values(
    reference: ColumnProfile, current: ColumnProfile, samples: tuple[Sample, Sample]
) -> tuple[Floats, Floats, Floats] | None:
    for column in (reference, current):
        if not column.distinct.is_exact or column.distinct.estimate > MOST_VALUES:
            return None
    values, first, second = counts_at(*samples)
    return (values, first, second) if values.size <= MOST_VALUES else None


def _few_values_drift(
    few: tuple[Floats, Floats, Floats], samples: tuple[Sample, Sample], method: str
) -> Component:
    values, first, second = few
    return shares_drift(
        first,
        second,
        method,
        rows=(samples[0].size, samples[1].size),
        error=2 * (samples[0].share_error + samples[1].share_error),  # a value lies between two ranks
        describe=lambda place: {"value": float(values[place])},
    )


def _scaled_wasserstein(samples: tuple[Sample, Sample], error: float) -> float:
    """In standard deviations of the reference, or of both together where it does not vary."""
    greatest = max(float(np.abs(one.values[[0, -1]]).max()) for one in samples)
    if greatest == 0:
        return 0.0
    first, second = (
        Sample(one.values / greatest, one.weights) for one in samples
    )  # whose squares are no infinity
    both = Sample(np.concatenate([first.values, second.values]), np.concatenate([first.weights, second.weights]))
    variance = first.variance or both.variance
    return wasserstein(first, second, share_error=error) / math.sqrt(variance) if variance else 0.0


def _range(edges: Floats, place: int) -> dict[str, Any]:
    low = float(edges[place - 1]) if place else None
    high = float(edges[place]) if place < edges.size else None
    if low is not None and high is not None and math.nextafter(low, math.inf) == high:
        return {"value": high}  # a frequent value has a bin of its own
    return {"from": low, "to": high}
