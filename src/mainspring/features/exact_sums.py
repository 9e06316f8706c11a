"""Sums of many windows by differences of cumulative sums, without what such differences lose."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Each part holds about 52 - log2(n) bits, so that four reach some 120 bits below the greatest value.
_PARTS = 4
_MANTISSA = 53


def slices(values: Floats) -> list[Floats]:
    """Parts that add up to the values and whose cumulative sums are exact: a window's sum is the sum, from the
    last part to the first, of each part's `cumulative[end] - cumulative[start]`.

    A difference of plain cumulative sums is wrong by an epsilon of all that came before, and so loses small
    values behind an outlier. Each part here holds multiples of one power of two that are so few that adding
    them up in float64 never rounds, in any order (the error-free extraction of Rump, Ogita and Oishi, "Accurate
    floating-point summation part I", 2008, section 3). What lies some 120 bits below the greatest value goes
    into the last part as it is.

    Args:
        values: finite.

    Examples:
        >>> prices = np.array([1e17, 0.1, 0.2])
        >>> plain = np.cumsum(prices)
        >>> float(plain[2] - plain[0])
        0.0
        >>> sums = [np.cumsum(part) for part in slices(prices)]
        >>> sum(float(part[2] - part[0]) for part in reversed(sums)) == 0.1 + 0.2
        True
    """
    rest = np.ascontiguousarray(values, np.float64)
    greatest = float(np.abs(rest).max()) if rest.size else 0.0
    headroom = math.ceil(math.log2(max(rest.size, 1))) + 2
    # 2**exponent exceeds twice the sum of all magnitudes.
    exponent = math.frexp(greatest)[1] + headroom
    parts: list[Floats] = []
    while len(parts) < _PARTS - 1 and rest.any() and exponent < 1_023:
        sigma = math.ldexp(1.0, exponent)
        high = (rest + sigma) - sigma
        parts.append(high)
        rest = rest - high
        exponent += headroom - _MANTISSA
    return [*parts, rest] if rest.any() or not parts else parts
