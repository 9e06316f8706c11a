"""Decision trees, forests and gradient boosting of scikit-learn; all round their input to float32 first."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.links import binary_probabilities, softmax, with_complement
from mainspring.release.compile.registry import Prediction, predictor
from mainspring.release.compile.table import Compilation, Table
from mainspring.release.compile.trees import Trees, tree_sums


@predictor("sklearn.DecisionTreeClassifier", "sklearn.ExtraTreeClassifier")
def _tree_classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return _shares(compilation, [model], tuple(model.classes_), table)


@predictor("sklearn.RandomForestClassifier", "sklearn.ExtraTreesClassifier")
def _forest_classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return _shares(compilation, model.estimators_, tuple(model.classes_), table)


@predictor("sklearn.DecisionTreeRegressor", "sklearn.ExtraTreeRegressor")
def _tree_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return Prediction(_means(compilation, [model], table))


@predictor("sklearn.RandomForestRegressor", "sklearn.ExtraTreesRegressor")
def _forest_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return Prediction(_means(compilation, model.estimators_, table))


@predictor("sklearn.GradientBoostingClassifier")
def _boosting_classifier(compilation: Compilation, model: Any, table: Table) -> Prediction:
    raw = boosted_scores(compilation, model, table)
    classes = tuple(model.classes_)
    if len(classes) > 2:
        return Prediction(softmax(compilation, raw), classes)
    if model.loss == "exponential":
        raw = compilation.graph.op("Mul", raw, compilation.graph.constant(2.0), width=1)
    return Prediction(binary_probabilities(compilation, raw), classes)


@predictor("sklearn.GradientBoostingRegressor")
def _boosting_regressor(compilation: Compilation, model: Any, table: Table) -> Prediction:
    return Prediction(boosted_scores(compilation, model, table))


def _shares(compilation: Compilation, models: Sequence[Any], classes: tuple[int, ...], table: Table) -> Prediction:
    """The mean of the leaves' class shares.

    A leaf feeds one sum, so a tree is written once for each class; but of two classes one follows from the other.
    """
    wanted = [1] if len(classes) == 2 else list(range(len(classes)))
    trees = Trees(len(wanted), np.zeros(len(wanted)))
    for model in models:
        for target, place in enumerate(wanted):
            _add(trees, model.tree_, model.tree_.value[:, 0, place], target)
    mean = _divided(compilation, tree_sums(compilation, table, trees, float32=True), len(models))
    return Prediction(with_complement(compilation, mean) if len(classes) == 2 else mean, classes)


def _means(compilation: Compilation, models: Sequence[Any], table: Table) -> str:
    trees = Trees(1, np.zeros(1))
    for model in models:
        if model.tree_.n_outputs != 1:
            raise NotCompilable(f"{type(model).__name__} with several outputs has no compiled form")
        _add(trees, model.tree_, model.tree_.value[:, 0, 0], 0)
    return _divided(compilation, tree_sums(compilation, table, trees, float32=True), len(models))


def boosted_scores(compilation: Compilation, model: Any, table: Table) -> str:
    """[rows, trees of a stage]: the start and the sums of the leaves."""
    start = model.init_
    if not isinstance(start, str) and not type(start).__name__.startswith("Dummy"):
        raise NotCompilable(
            f"{type(model).__name__}(init={type(start).__name__}) has no compiled form", cure="leave init out"
        )
    nothing = np.zeros((1, model.n_features_in_), dtype=np.float32)
    base = np.asarray(model._raw_predict_init(nothing), dtype=np.float64)[0]
    targets = model.estimators_.shape[1]
    trees = Trees(targets, base)
    for stage in model.estimators_:
        for target, member in enumerate(stage):
            _add(trees, member.tree_, model.learning_rate * member.tree_.value[:, 0, 0], target)
    return tree_sums(compilation, table, trees, float32=True)


def _add(trees: Trees, tree: Any, value: Any, target: int) -> None:
    missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
    trees.add(
        target=target,
        leaf=np.asarray(tree.children_left) == -1,
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=np.asarray(missing).astype(bool),
        value=value,
    )


def _divided(compilation: Compilation, sums: str, count: int) -> str:
    if count == 1:
        return sums
    graph = compilation.graph
    return graph.op("Div", sums, graph.constant(float(count)), width=graph.width_of(sums))
