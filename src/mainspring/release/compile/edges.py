"""Rows right beside the thresholds of the trees: where a compiled model that is wrong shows itself.

A split is only tried by a row that reaches it. So every split gets a real row that reaches its node, and the field
of that row is set to the greatest value that goes left and to the least that goes right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.release.compile.table import Column, Floats, Forward, TreeSite
from mainspring.release.compile.trees import Integers, Trees


@dataclass(frozen=True, slots=True)
class Edges:
    """Values to plant: `values[i]` into field `fields[i]` of a copy of row `rows[i]`."""

    rows: Integers
    fields: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.rows)


def field_thresholds(fields: Sequence[InputField], sites: Sequence[TreeSite]) -> dict[str, Floats]:
    """Numeric field → the greatest of its values that go left at some split, sorted, each once."""
    found: dict[str, list[Floats]] = {}
    for site in sites:
        trees = cast(Trees, site.trees)
        for place, _, borders in _borders(site, trees):
            raw = site.table[place].raw
            if raw is not None and len(borders):
                found.setdefault(fields[raw].name, []).append(borders)
    return {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}


def edges_of(sites: Sequence[TreeSite], inside: dict[str, Floats]) -> Edges:
    """The values to plant, each in a row that reaches its split.

    Args:
        inside: for each site's tensor, its values on the rows, [rows, columns].
    """
    rows, fields, values = [], [], []
    for site in sites:
        trees = cast(Trees, site.trees)
        matrix = inside[site.tensor]
        if site.float32:
            with np.errstate(over="ignore"):
                matrix = matrix.astype(np.float32).astype(np.float64)
        reached = reaching_rows(trees, matrix)
        for place, nodes, borders in _borders(site, trees):
            raw = site.table[place].raw
            seen = reached[nodes] >= 0
            if raw is None or not seen.any():
                continue
            for side in (borders, np.nextafter(borders, np.inf)):
                rows.append(reached[nodes][seen])
                values.append(side[seen])
                fields.append(np.full(int(seen.sum()), raw, dtype=np.int64))
    if not rows:
        return Edges(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Edges(np.concatenate(rows), np.concatenate(fields), np.concatenate(values))


def reaching_rows(trees: Trees, matrix: Floats) -> Integers:
    """For each inner node, a row of the matrix that reaches it, or -1."""
    feature = np.asarray(trees.flat("feature"), dtype=np.int64)
    threshold = np.asarray(trees.flat("threshold"), dtype=np.float64)
    left = np.asarray(trees.flat("left"), dtype=np.int64)
    right = np.asarray(trees.flat("right"), dtype=np.int64)
    missing_left = np.asarray(trees.flat("missing_left"), dtype=bool)
    member = np.asarray(trees.flat("member"), dtype=bool)
    sets = dict(zip(np.flatnonzero(member).tolist(), trees.members, strict=True))
    reached = np.full(len(feature), -1, dtype=np.int64)
    for root in trees.roots:
        rows = np.arange(len(matrix))
        nodes = np.full(len(matrix), root, dtype=np.int64)
        while len(rows):
            reached[nodes] = rows
            value = matrix[rows, feature[nodes]]
            goes_left = np.where(np.isnan(value), missing_left[nodes], value <= threshold[nodes])
            if sets:
                for node in np.unique(nodes[member[nodes]]).tolist():
                    here = nodes == node
                    goes_left[here] = np.where(
                        np.isnan(value[here]), missing_left[node], np.isin(value[here], sets[node])
                    )
            nodes = np.where(goes_left, left[nodes], right[nodes])
            rows, nodes = rows[nodes >= 0], nodes[nodes >= 0]
    return reached


def _borders(site: TreeSite, trees: Trees) -> Iterator[tuple[int, Integers, Floats]]:
    """Per column that leads back to a field: the nodes that split on it, the greatest value each sends left."""
    feature = np.asarray(trees.flat("feature"), dtype=np.int64)
    threshold = np.asarray(trees.flat("threshold"), dtype=np.float64)
    plain = ~np.asarray(trees.flat("member"), dtype=bool)
    # A tree of one leaf is written with a node that splits nothing.
    plain &= trees.flat("left") != trees.flat("right")
    for place, column in enumerate(site.table):
        nodes = np.flatnonzero(plain & (feature == place))
        if len(nodes) and column.forward is not None:
            wanted, back = np.unique(threshold[nodes], return_inverse=True)
            borders = _greatest_at_most(_rounded(column, site.float32), wanted)[back]
            with np.errstate(over="ignore"):  # a split that only missing values pass has no next double
                found = np.isfinite(borders) & np.isfinite(np.nextafter(borders, np.inf))
            yield place, nodes[found], borders[found]


def _rounded(column: Column, float32: bool) -> Forward:
    forward = column.forward
    assert forward is not None  # the caller made sure
    if not float32:
        return forward

    def rounded(values: Floats) -> Floats:
        return forward(values).astype(np.float32).astype(np.float64)

    return rounded


def _greatest_at_most(forward: Forward, thresholds: Floats) -> Floats:
    """For each threshold the greatest double x with forward(x) ≤ threshold; -inf where there is none.

    By bisection over the doubles in their order, since a function that rounds has no exact inverse.
    """
    low = np.full(len(thresholds), _ordered(np.array([-np.finfo(np.float64).max]))[0] - 1)
    high = np.full(len(thresholds), _ordered(np.array([np.finfo(np.float64).max]))[0])
    with np.errstate(all="ignore"):
        while (low < high).any():
            # The middle, rounded up; the plain sum would overflow.
            middle = (low >> 1) + (high >> 1) + ((low | high) & 1)
            below = forward(_double(middle)) <= thresholds
            low = np.where(below, middle, low)
            high = np.where(below, high, middle - 1)
    return _double(low)


def _ordered(values: Floats) -> Integers:
    """Doubles → integers in the same order, neighbours to neighbours."""
    bits = values.view(np.int64)
    return np.where(bits >= 0, bits, np.int64(-(2**63)) - bits)


def _double(places: Integers) -> Floats:
    bits = np.where(places >= 0, places, np.int64(-(2**63)) - places)
    doubles: npt.NDArray[np.float64] = bits.view(np.float64)
    return doubles
