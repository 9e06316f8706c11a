"""HistGradientBoostingClassifier and HistGradientBoostingRegressor."""

from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.links import binary_probabilities, softmax
from mainspring.release.compile.registry import Prediction, convert_transformer, predictor
from mainspring.release.compile.table import Compilation, Floats, Table
from mainspring.release.compile.trees import Trees, tree_sums


@predictor("sklearn.HistGradientBoostingClassifier")
def _classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    raw = raw_scores(compilation, model, table)
    if model.n_trees_per_iteration_ == 1:
        return Prediction(binary_probabilities(compilation, raw), tuple(model.classes_))
    return Prediction(softmax(compilation, raw), tuple(model.classes_))


@predictor("sklearn.HistGradientBoostingRegressor")
def _regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    raw = raw_scores(compilation, model, table)
    link = type(model._loss.link).__name__
    if link == "IdentityLink":
        return Prediction(raw)
    if link == "LogLink":
        return Prediction(compilation.graph.op("Exp", raw, width=1))
    raise NotCompilable(f"the link {link} of {type(model).__name__} has no compiled form")


def raw_scores(compilation: Compilation, model: Any, table: Table) -> str:
    """[rows, trees of an iteration]: the sums of the leaves."""
    # With categorical features it encodes them by a column transformer of its own.
    if model._preprocessor is not None:
        table = convert_transformer(compilation, model._preprocessor, table)
    base = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    trees = Trees(model.n_trees_per_iteration_, base)
    for iteration in model._predictors:
        for target, tree in enumerate(iteration):
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            members = {
                int(node): _members(tree.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
                for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
            }
            trees.add(
                target=target,
                leaf=leaf,
                feature=nodes["feature_idx"],
                threshold=nodes["num_threshold"],
                left=nodes["left"],
                right=nodes["right"],
                missing_left=nodes["missing_go_to_left"].astype(bool),
                value=nodes["value"],
                members=members,
            )
    return tree_sums(compilation, table, trees)


def _members(bitset: Any) -> Floats:
    """The category codes of a bitset of eight 32-bit words."""
    bits = np.unpackbits(np.asarray(bitset, dtype="<u4").view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.float64)
