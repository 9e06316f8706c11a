"""Tree ensembles: one form for all libraries, and its `TreeEnsemble` node with double splits and leaves."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mainspring.release.compile.table import Compilation, Floats, Table, TreeSite

Integers = npt.NDArray[np.int64]

LESS_OR_EQUAL = 0  # BRANCH_LEQ
MEMBER = 6  # BRANCH_MEMBER


@dataclass(slots=True)
class Trees:
    """Trees that add up, as flat arrays over all their inner nodes and all their leaves.

    A child is the number of an inner node, or `~leaf` of a leaf. The left child is taken where the feature is at
    most the threshold, or one of the node's members, or missing and `missing_left`.

    Attributes:
        targets: the number of sums.
        base: what each sum starts with; it is folded into the first tree of each target.
    """

    targets: int
    base: Floats
    roots: list[int] = field(default_factory=list)
    _parts: list[dict[str, npt.NDArray[np.generic]]] = field(default_factory=list)
    _members: list[Floats] = field(default_factory=list)
    _inner: int = 0
    _leaves: int = 0
    _begun: set[int] = field(default_factory=set)

    def add(
        self,
        *,
        target: int,
        leaf: npt.NDArray[np.bool_],
        feature: npt.ArrayLike,
        threshold: Floats,
        left: npt.ArrayLike,
        right: npt.ArrayLike,
        missing_left: npt.NDArray[np.bool_],
        value: Floats,
        members: dict[int, Floats] | None = None,
    ) -> None:
        """Append a tree given as arrays over its nodes (inner nodes and leaves mixed), the root first.

        Args:
            members: node → the values that go left, for nodes that split on membership.
        """
        members = members or {}
        value = np.asarray(value, dtype=np.float64)
        if target not in self._begun:
            self._begun.add(target)
            value = self.base[target] + value
        number = np.empty(len(leaf), dtype=np.int64)
        number[~leaf] = self._inner + np.arange((~leaf).sum())
        number[leaf] = ~(self._leaves + np.arange(leaf.sum()))
        inner = np.flatnonzero(~leaf)
        if len(inner):
            part = {
                "feature": np.asarray(feature, dtype=np.int64)[inner],
                "threshold": np.asarray(threshold, dtype=np.float64)[inner],
                "left": number[np.asarray(left, dtype=np.int64)[inner]],
                "right": number[np.asarray(right, dtype=np.int64)[inner]],
                "missing_left": np.asarray(missing_left, dtype=bool)[inner],
                "member": np.array([int(node) in members for node in inner], dtype=bool),
            }
            self._members += [
                np.asarray(members[int(node)], dtype=np.float64) for node in inner if int(node) in members
            ]
        else:
            # A tree of one leaf: a node both of whose branches lead to it.
            only = ~self._leaves
            part = {
                "feature": np.zeros(1, dtype=np.int64),
                "threshold": np.zeros(1),
                "left": np.array([only]),
                "right": np.array([only]),
                "missing_left": np.zeros(1, dtype=bool),
                "member": np.zeros(1, dtype=bool),
            }
        part["value"] = value[leaf]
        part["target"] = np.full(int(leaf.sum()), target, dtype=np.int64)
        self.roots.append(self._inner)
        self._parts.append(part)
        self._inner += len(part["feature"])
        self._leaves += len(part["value"])

    def flat(self, name: str) -> npt.NDArray[np.generic]:
        """Of inner nodes feature, threshold, left, right, missing_left or member; of leaves value or target."""
        if not self._parts:
            return np.empty(0)
        return np.concatenate([part[name] for part in self._parts])

    @property
    def members(self) -> list[Floats]:
        """The members of each node that splits on membership, in the nodes' order."""
        return self._members

    def __len__(self) -> int:
        return len(self.roots)


def tree_sums(compilation: Compilation, table: Table, trees: Trees, *, float32: bool = False) -> str:
    """The tensor [rows, trees.targets] of the sums.

    Args:
        float32: round the input to float32 first, as the original does.
    """
    graph = compilation.graph
    tensor = compilation.matrix(table)
    for target in sorted(set(range(trees.targets)) - trees._begun):
        nothing = np.zeros(1)
        trees.add(
            target=target,
            leaf=np.ones(1, dtype=bool),
            feature=[0],
            threshold=nothing,
            left=[0],
            right=[0],
            missing_left=np.zeros(1, dtype=bool),
            value=nothing,
        )
    compilation.splits.append(TreeSite(tensor, table, trees, float32))
    if float32:
        tensor = graph.op("Cast", graph.op("Cast", tensor, width=len(table), to=1), width=len(table), to=11)
    return graph.op("TreeEnsemble", tensor, width=trees.targets, domain="ai.onnx.ml", **_attributes(trees))


def _attributes(trees: Trees) -> dict[str, object]:
    from onnx import numpy_helper

    left = np.asarray(trees.flat("left"), dtype=np.int64)
    right = np.asarray(trees.flat("right"), dtype=np.int64)
    member = np.asarray(trees.flat("member"), dtype=bool)
    attributes: dict[str, object] = {
        "aggregate_function": 1,  # SUM
        "post_transform": 0,  # NONE
        "n_targets": trees.targets,
        "tree_roots": trees.roots,
        "nodes_featureids": trees.flat("feature").tolist(),
        "nodes_splits": numpy_helper.from_array(np.asarray(trees.flat("threshold"), dtype=np.float64)),
        "nodes_modes": numpy_helper.from_array(np.where(member, MEMBER, LESS_OR_EQUAL).astype(np.uint8)),
        "nodes_missing_value_tracks_true": trees.flat("missing_left").astype(np.int64).tolist(),
        "nodes_trueleafs": (left < 0).astype(np.int64).tolist(),
        "nodes_truenodeids": np.where(left < 0, ~left, left).tolist(),
        "nodes_falseleafs": (right < 0).astype(np.int64).tolist(),
        "nodes_falsenodeids": np.where(right < 0, ~right, right).tolist(),
        "leaf_targetids": trees.flat("target").tolist(),
        "leaf_weights": numpy_helper.from_array(np.asarray(trees.flat("value"), dtype=np.float64)),
    }
    if trees.members:
        # A set must not be empty; no code of a category is a half.
        ended = [np.append(values if len(values) else [0.5], np.nan) for values in trees.members]
        attributes["membership_values"] = numpy_helper.from_array(np.concatenate(ended))
    return attributes
