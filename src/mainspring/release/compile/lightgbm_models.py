"""LGBMClassifier and LGBMRegressor, read from the text form of the booster.

`dump_model` rounds some thresholds; the text form has all 17 digits. The rules of a split are those of LightGBM's
`tree.h` (`NumericalDecision`, `CategoricalDecision`) and of its reader of dense rows, to which |x| ≤ 1e-35f is 0.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.errors import NotCompilable
from mainspring.release.compile.links import binary_probabilities, softmax
from mainspring.release.compile.registry import Prediction, predictor
from mainspring.release.compile.table import Column, Compilation, Floats, Table
from mainspring.release.compile.trees import Trees, tree_sums

# `kZeroThreshold`, a float32 constant.
_ZERO = float(np.float32(1e-35))
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_NONE, _MISSING_ZERO, _MISSING_NAN = 0, 1, 2
_IDENTITY = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
_EXPONENTIAL = {"poisson", "gamma", "tweedie"}


@predictor("lightgbm.LGBMClassifier")
def _classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    raw, objective = _raw(compilation, model, table)
    classes = tuple(model.classes_)
    kind = objective[0]
    if kind in ("binary", "cross_entropy") and len(classes) == 2:
        return Prediction(binary_probabilities(compilation, _scaled(compilation, raw, objective)), classes)
    if kind == "multiclass":
        return Prediction(softmax(compilation, raw), classes)
    if kind == "multiclassova":
        scaled = _scaled(compilation, raw, objective)
        return Prediction(compilation.graph.op("Sigmoid", scaled, width=len(classes)), classes)
    raise NotCompilable(f"LightGBM's objective {kind!r} with {len(classes)} classes has no compiled form")


@predictor("lightgbm.LGBMRegressor")
def _regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    raw, objective = _raw(compilation, model, table)
    graph = compilation.graph
    kind = objective[0]
    if kind in _IDENTITY and "sqrt" in objective[1:]:
        square = graph.op("Mul", raw, graph.op("Abs", raw, width=1), width=1)  # sign(x) · x²
        return Prediction(square)
    if kind in _IDENTITY:
        return Prediction(raw)
    if kind in _EXPONENTIAL:
        return Prediction(graph.op("Exp", raw, width=1))
    raise NotCompilable(f"LightGBM's objective {kind!r} has no compiled form")


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree of the text form, by inner node (feature … decision) and by leaf (value)."""

    feature: npt.NDArray[np.int64]
    threshold: Floats
    decision: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Floats
    members: dict[int, Floats]

    @property
    def categorical(self) -> npt.NDArray[np.bool_]:
        return (self.decision & _CATEGORICAL).astype(bool)

    @property
    def missing(self) -> npt.NDArray[np.int64]:
        return (self.decision >> 2) & 3


def raw_scores(compilation: Compilation, model: Any, table: Table) -> str:
    """[rows, targets]: the sums of the trees, which are the decision values too."""
    return _raw(compilation, model, table)[0]


def _raw(compilation: Compilation, model: Any, table: Table) -> tuple[str, list[str]]:
    """The sums of the trees, [rows, targets], and the words of the objective."""
    # Without a number, this is what `predict` uses too: the best iteration after early stopping, else all.
    text = model.booster_.model_to_string()
    head, _, rest = text.partition("\nTree=")
    settings = dict(line.partition("=")[::2] for line in head.splitlines() if "=" in line)
    objective = settings.get("objective", "custom").split()
    targets = int(settings["num_tree_per_iteration"])
    blocks = rest.partition("\nend of trees")[0].split("\nTree=") if rest else []
    trees = [_read(block) for block in blocks]
    if int(settings["max_feature_idx"]) + 1 != len(table):
        raise NotCompilable(
            f"LightGBM was fitted on {int(settings['max_feature_idx']) + 1} columns and now gets {len(table)}"
        )
    table = _prepared(compilation, table, trees)
    ensemble = Trees(targets, np.zeros(targets))
    for number, tree in enumerate(trees):
        _add(ensemble, tree, number % targets)
    raw = tree_sums(compilation, table, ensemble)
    if "average_output" in head.splitlines():  # random forest mode
        iterations = compilation.graph.constant(float(len(trees) // targets))
        raw = compilation.graph.op("Div", raw, iterations, width=targets)
    return raw, objective


def _read(block: str) -> _Tree:
    values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
    if values.get("is_linear", "0") != "0":
        raise NotCompilable("LightGBM's linear trees have no compiled form", cure="leave linear_tree out")

    def integers(name: str) -> npt.NDArray[np.int64]:
        return np.array(values.get(name, "").split(), dtype=np.int64)

    threshold = np.array([float(word) for word in values.get("threshold", "").split()])
    decision = integers("decision_type")
    bounds, words = integers("cat_boundaries"), integers("cat_threshold")
    members = {}
    for node in np.flatnonzero(decision & _CATEGORICAL):
        which = int(threshold[node])
        members[int(node)] = _members(words[bounds[which] : bounds[which + 1]])
    return _Tree(
        feature=integers("split_feature"),
        threshold=threshold,
        decision=decision,
        left=integers("left_child"),
        right=integers("right_child"),
        value=np.array([float(word) for word in values["leaf_value"].split()]),
        members=members,
    )


def _members(words: npt.NDArray[np.int64]) -> Floats:
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.float64)


def _prepared(compilation: Compilation, table: Table, trees: list[_Tree]) -> Table:
    """The columns as the splits read them: whole numbers for categories; NaN for 0 where 0 means missing."""
    graph = compilation.graph
    categorical: set[int] = set()
    numeric: set[int] = set()
    missing: dict[int, set[int]] = {}
    for tree in trees:
        categorical |= set(tree.feature[tree.categorical].tolist())
        numeric |= set(tree.feature[~tree.categorical].tolist())
        for feature, kind in zip(tree.feature.tolist(), tree.missing.tolist(), strict=True):
            missing.setdefault(feature, set()).add(kind)
    zeros = {feature for feature in numeric if _MISSING_ZERO in missing[feature]}
    if categorical & numeric or any(len(missing[feature]) > 1 for feature in zeros):
        raise NotCompilable("LightGBM splits a feature in two ways that contradict each other")
    after = list(table)
    for place in sorted(categorical):
        one = compilation.matrix([table[place]])
        size = graph.op("Floor", graph.op("Abs", one, width=1), width=1)
        whole = graph.op("Mul", graph.op("Sign", one, width=1), size, width=1)  # cut off towards 0
        after[place] = Column(whole, 0, raw=table[place].raw)
    for place in sorted(zeros):
        one = compilation.matrix([table[place]])
        small = graph.op("LessOrEqual", graph.op("Abs", one, width=1), graph.constant(_ZERO), width=1)
        after[place] = replace(
            table[place],
            tensor=graph.op("Where", small, graph.constant(np.nan), one, width=1),
            place=0,
            codes=None,
        )
    return after


def _add(ensemble: Trees, tree: _Tree, target: int) -> None:
    """Append in the common form: LightGBM numbers its inner nodes from 0 and writes leaf `i` as child `~i`."""
    inner, leaves = len(tree.feature), len(tree.value)

    def place(child: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.where(child >= 0, child, inner + ~child)

    threshold = tree.threshold.copy()
    numbers = ~tree.categorical
    # A value within ±1e-35f counts as 0, so a threshold in there is one of the band's two edges.
    threshold[numbers & (threshold >= 0) & (threshold < _ZERO)] = _ZERO
    threshold[numbers & (threshold < 0) & (threshold >= -_ZERO)] = np.nextafter(-_ZERO, -np.inf)
    default_left = (tree.decision & _DEFAULT_LEFT).astype(bool)
    # Without a missing bin NaN counts as 0. Among categories it is never a member.
    missing_left = np.where(tree.missing == _MISSING_NONE, threshold >= 0, default_left) & numbers
    pad = np.zeros(leaves)
    ensemble.add(
        target=target,
        leaf=np.concatenate([np.zeros(inner, dtype=bool), np.ones(leaves, dtype=bool)]),
        feature=np.concatenate([tree.feature, pad.astype(np.int64)]),
        threshold=np.concatenate([threshold, pad]),
        left=np.concatenate([place(tree.left), pad.astype(np.int64)]),
        right=np.concatenate([place(tree.right), pad.astype(np.int64)]),
        missing_left=np.concatenate([missing_left, pad.astype(bool)]),
        value=np.concatenate([np.zeros(inner), tree.value]),
        members=tree.members,
    )


def _scaled(compilation: Compilation, raw: str, objective: list[str]) -> str:
    factor = next((float(word.partition(":")[2]) for word in objective if word.startswith("sigmoid:")), 1.0)
    if factor == 1.0:
        return raw
    graph = compilation.graph
    return graph.op("Mul", raw, graph.constant(factor), width=graph.width_of(raw))
