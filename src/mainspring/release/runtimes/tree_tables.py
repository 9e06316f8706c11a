"""Sums of many small trees over many rows, by tables of bits instead of branches.

A walk down a tree guesses wrong at half of its nodes, and wrong guesses cost a processor more than all the rest.
So no tree is walked. Of each feature only the interval in which its value lies matters; each interval has a mask
with one bit for each leaf of each tree, 0 where that interval alone rules the leaf out. The bits that are left of
all features' masks together begin with the leaf that each tree reaches, and the leaves' values are added in the
order of the trees, as the walk would: the sums are the same to the last bit.

Source: C. Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
trees", SIGIR 2015; here over rows at once, in NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BLOCK = 4096  # rows: their masks stay in a core's own cache
_MOST_LEAVES = 64  # of a tree
_MOST_BYTES = 64 << 20  # of masks: beyond, fetching them costs more than walking
_NEAR = 128 << 10  # bytes of masks that several features may share
_CELLS = 2048  # of the grid by which a number finds its interval


@dataclass(frozen=True, slots=True)
class TreeArrays:
    """Trees that add up, as flat arrays over their inner nodes and their leaves.

    Attributes:
        targets: the number of sums.
        roots: the inner node at which each tree begins.
        feature, threshold, missing_left: by inner node. The left child is taken where the feature is at most the
            threshold (or among the node's members), or missing and `missing_left`.
        left, right: the child by inner node: an inner node's number, or `~leaf`.
        members: inner node → the values that go left.
        value, target: by leaf.
    """

    targets: int
    roots: Integers
    feature: Integers
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    left: Integers
    right: Integers
    members: dict[int, Floats]
    value: Floats
    target: Integers


class TreeTables:
    """The sums of trees.

    Args:
        trees: at most 64 leaves a tree; a feature is split by thresholds or by members, not by both.

    Raises:
        ValueError: these trees have no such tables, or the tables would be too large to be of use.
    """

    def __init__(self, trees: TreeArrays) -> None:
        leaves = [_leaves(trees, int(root)) for root in trees.roots]
        most = max((len(found) for found in leaves), default=1)
        if most > _MOST_LEAVES:
            raise ValueError(f"a tree has {most} leaves")
        self._bits = next(bits for bits in (8, 16, 32, 64) if most <= bits)
        self._mask_type = np.dtype(f"u{self._bits // 8}")
        per_word = 64 // self._bits
        self._words = -(-len(leaves) // per_word)
        self.targets = trees.targets
        self._tables = self._made(trees, leaves)
        self._leaf_values(trees, leaves)

    def _made(self, trees: TreeArrays, leaves: list[list[int]]) -> list["_Table"]:
        width = self._words * 64 // self._bits
        ruled_out = _ruled_out(trees, leaves)
        tables = []
        size = 0
        for feature in np.unique(trees.feature).tolist():
            nodes = [node for node in np.flatnonzero(trees.feature == feature).tolist() if node in ruled_out]
            if not nodes:
                continue
            by_members = {node in trees.members for node in nodes}
            if len(by_members) > 1:
                raise ValueError(f"feature {feature} is split in two ways")
            bins: _Intervals | _Values = (
                _Values(np.concatenate([trees.members[node] for node in nodes]))
                if by_members.pop()
                else _Intervals(trees.threshold[nodes])
            )
            size += bins.count * width * self._bits // 8
            if size > _MOST_BYTES:
                raise ValueError("the masks would fill more than a cache")
            masks = np.full((bins.count, width), np.iinfo(self._mask_type).max, dtype=self._mask_type)
            for node in nodes:
                tree, when_right, when_left = ruled_out[node]
                goes_left = (
                    bins.among(trees.members[node])
                    if isinstance(bins, _Values)
                    else bins.at_most(float(trees.threshold[node]))
                )
                goes_left[-1] = trees.missing_left[node]
                keep = np.where(goes_left, ~np.uint64(when_left), ~np.uint64(when_right))
                masks[:, tree] &= keep.astype(self._mask_type)
            tables.append(_Table(((feature, bins),), np.ascontiguousarray(masks).view(np.uint64)))
        return _merged(tables)

    def _leaf_values(self, trees: TreeArrays, leaves: list[list[int]]) -> None:
        """For each target its trees, and the values of their leaves as one flat table."""
        slots = 256 if self._bits == 8 else self._bits
        self._groups: list[tuple[Integers, Floats, Integers]] = []
        for target in range(trees.targets):
            own = [number for number, found in enumerate(leaves) if trees.target[found[0]] == target]
            table = np.zeros((len(own), slots))
            for place, number in enumerate(own):
                values = trees.value[leaves[number]]
                if self._bits == 8:
                    patterns = np.arange(1, 256)
                    lowest = np.log2(patterns & -patterns).astype(np.int64)
                    table[place, 1:] = values[np.minimum(lowest, len(values) - 1)]
                else:
                    table[place, : len(values)] = values
            offsets = (np.arange(len(own), dtype=np.int64) * slots)[:, None]
            self._groups.append((np.array(own, dtype=np.int64), table.reshape(-1), offsets))

    def sums(self, columns: Sequence[Floats]) -> Floats:
        """The sums `[rows, targets]` of what the trees read: for each feature its values, `[rows]`."""
        count = len(columns[0])
        if count == 1:  # NumPy adds up a lone row in pairs, which is another order
            return self.sums([np.repeat(column, 2) for column in columns])[:1]
        sums = np.zeros((count, self.targets))
        rows = min(_BLOCK, count)
        # Memory taken anew for each block would be given back and cleared by the system each time.
        masks, other = np.empty((2, rows, self._words), dtype=np.uint64)
        most = max((len(own) for own, _, _ in self._groups), default=0)
        places, values = np.empty((most, rows), dtype=np.int64), np.empty((most, rows))
        for begin in range(0, count, _BLOCK):
            start = min(begin, count - rows)  # the last block takes some rows a second time
            self._find_leaves([column[start : start + rows] for column in columns], masks, other)
            self._add_up(masks, places, values, sums[start : start + rows])
        return sums

    def _find_leaves(
        self, columns: Sequence[Floats], masks: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]
    ) -> None:
        if not self._tables:
            masks.fill(np.iinfo(np.uint64).max)
        for number, table in enumerate(self._tables):
            # Every place is in range; only with a mode for those that are not does NumPy write without a copy.
            table.masks.take(table.places(columns), axis=0, out=other if number else masks, mode="clip")
            if number:
                masks &= other

    def _add_up(self, masks: npt.NDArray[np.uint64], places: Integers, reached: Floats, sums: Floats) -> None:
        leaves = masks.view(self._mask_type)
        for target, (own, values, offsets) in enumerate(self._groups):
            if not len(own):
                continue
            chosen = leaves[:, own].T if len(own) < leaves.shape[1] else leaves.T
            found, there = places[: len(own)], reached[: len(own)]
            self._find_slots(chosen, found)
            found += offsets
            values.take(found, out=there, mode="clip")
            # The trees lie along the first axis, along which NumPy adds one after the other.
            np.add.reduce(there, axis=0, out=sums[:, target])

    def _find_slots(self, masks: npt.NDArray[np.unsignedinteger], slots: Integers) -> None:
        """Where in its table each tree finds its leaf's value: by the mask itself, or by its lowest bit."""
        if self._bits == 8:
            np.copyto(slots, masks)
            return
        lowest = np.ascontiguousarray(masks & (~masks + self._mask_type.type(1)))
        if self._bits < 64:  # a power of two is exact, and its exponent is the bit's number
            np.subtract(lowest.astype(np.float32).view(np.int32) >> 23, 127, out=slots)
        else:
            np.subtract(lowest.astype(np.float64).view(np.int64) >> 52, 1023, out=slots)


@dataclass(frozen=True, slots=True)
class _Table:
    """Of one or a few features: how their values fall into bins, and each bin's masks, uint64 [bins, words]."""

    features: tuple[tuple[int, "_Intervals | _Values"], ...]
    masks: npt.NDArray[np.uint64]

    def places(self, columns: Sequence[Floats]) -> Integers:
        """The bin of each row."""
        (first, bins), *others = self.features
        places = bins.places(np.ascontiguousarray(columns[first]))
        for feature, bins in others:
            places *= bins.count
            places += bins.places(np.ascontiguousarray(columns[feature]))
        return places

    def with_table(self, other: "_Table") -> "_Table":
        """One table for the features of both."""
        masks = self.masks[:, None, :] & other.masks[None, :, :]
        return _Table((*self.features, *other.features), masks.reshape(-1, masks.shape[2]))


def _merged(tables: list[_Table]) -> list[_Table]:
    """Fewer tables: features with few bins share one, as long as it stays in the nearest cache."""
    merged: list[_Table] = []
    for table in sorted(tables, key=lambda table: len(table.masks)):
        if merged and merged[-1].masks.nbytes * len(table.masks) <= _NEAR:
            merged[-1] = merged[-1].with_table(table)
        else:
            merged.append(table)
    return merged


class _Intervals:
    """Bins between thresholds: bin `i` holds what is at most the i-th threshold and over the one before; the last
    but one what is over all, the last what is missing.

    A number finds its bin by a grid of equal cells, whose first bin is known, and as many comparisons as the
    fullest cell has thresholds. The cell's number never falls where the value rises, so that it is exact.
    """

    def __init__(self, thresholds: Floats) -> None:
        self.thresholds = np.unique(thresholds)
        self.count = len(self.thresholds) + 2
        finite = self.thresholds[np.isfinite(self.thresholds)]
        self._use_grid = len(finite) == len(self.thresholds) > 8
        if self._use_grid:
            self._low = float(finite[0])
            with np.errstate(over="ignore"):
                self._scale = float(_CELLS / (finite[-1] - finite[0]))
            self._use_grid = np.isfinite(self._scale) and self._scale > 0
        if self._use_grid:
            cells = self._cells(self.thresholds)
            counts = np.bincount(cells, minlength=_CELLS)
            self._first = np.concatenate([[0], np.cumsum(counts)[:-1]])
            self._steps = int(counts.max())
            self._use_grid = self._steps <= 4
            self._next = np.append(self.thresholds, np.inf)

    def at_most(self, threshold: float) -> npt.NDArray[np.bool_]:
        """Which bins hold values of at most this threshold, which is one of them."""
        return np.arange(self.count) <= np.searchsorted(self.thresholds, threshold)

    def places(self, values: Floats) -> Integers:
        """The bin of each value."""
        if not self._use_grid:
            places = np.searchsorted(self.thresholds, values, side="left")
        else:
            places = self._first.take(self._cells(values))
            for _ in range(self._steps):
                places += self._next.take(places) < values
        missing = np.isnan(values)
        if missing.any():
            places[missing] = self.count - 1
        return places

    def _cells(self, values: Floats) -> Integers:
        with np.errstate(invalid="ignore", over="ignore"):
            cells = (values - self._low) * self._scale
            np.fmin(np.fmax(cells, 0.0, out=cells), _CELLS - 1.0, out=cells)
        return cells.astype(np.int64)


class _Values:
    """Bins of single values: one for each that some node names, then one for all others, then the missing."""

    def __init__(self, values: Floats) -> None:
        self.values = np.unique(values)
        self.count = len(self.values) + 2
        whole = len(self.values) > 0 and bool(
            ((self.values >= 0) & (self.values < _CELLS) & (self.values == np.floor(self.values))).all()
        )
        self._direct: Integers | None = None
        if whole:
            self._direct = np.full(int(self.values[-1]) + 2, len(self.values), dtype=np.int64)
            self._direct[self.values.astype(np.int64)] = np.arange(len(self.values))

    def among(self, members: Floats) -> npt.NDArray[np.bool_]:
        """Which bins hold one of the members."""
        return np.append(np.isin(self.values, members), [False, False])

    def places(self, values: Floats) -> Integers:
        """The bin of each value."""
        count = len(self.values)
        missing = np.isnan(values)
        if self._direct is not None:
            last = len(self._direct) - 1
            with np.errstate(invalid="ignore"):
                whole = np.fmin(np.fmax(values, -1.0), float(last)).astype(np.int64)
            places = self._direct.take(whole)  # -1 is the last place, as is everything greater
            odd = whole != values
            if odd.any():
                places[odd] = count
        else:
            found = np.searchsorted(self.values, values)
            places = np.where(np.append(self.values, np.nan)[found] == values, found, count)
        if missing.any():
            places[missing] = count + 1
        return places


def _leaves(trees: TreeArrays, root: int) -> list[int]:
    """The tree's leaves from left to right."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if node < 0:
            found.append(~node)
        else:
            waiting += [int(trees.right[node]), int(trees.left[node])]
    return found


def _ruled_out(trees: TreeArrays, leaves: list[list[int]]) -> dict[int, tuple[int, int, int]]:
    """Inner node → its tree, and the bits of the leaves that going right (left) there rules out."""
    found: dict[int, tuple[int, int, int]] = {}
    for tree, root in enumerate(trees.roots.tolist()):
        bit_of = {leaf: 1 << place for place, leaf in enumerate(leaves[tree])}
        order, waiting = [], [root]
        while waiting:
            node = waiting.pop()
            order.append(node)
            waiting += [child for child in (int(trees.left[node]), int(trees.right[node])) if child >= 0]
        below: dict[int, int] = {}
        for node in reversed(order):
            children = (int(trees.left[node]), int(trees.right[node]))
            bits = [below[child] if child >= 0 else bit_of[~child] for child in children]
            below[node] = bits[0] | bits[1]
            if trees.left[node] != trees.right[node]:
                found[node] = (tree, bits[0], bits[1])
    return found
