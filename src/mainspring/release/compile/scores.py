"""Decision values: what a classifier computes before probabilities, for those that build on it."""

from collections.abc import Callable
from typing import Any

from mainspring.errors import NotCompilable
from mainspring.release.compile import forests, hist_gradient_boosting, lightgbm_models
from mainspring.release.compile.composition import convert_steps
from mainspring.release.compile.linear import linear_scores
from mainspring.release.compile.registry import convert_predictor, name_of
from mainspring.release.compile.table import Compilation, Table

_LINEAR = ("LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "RidgeClassifier", "RidgeClassifierCV",
           "LinearSVC", "Perceptron", "PassiveAggressiveClassifier")  # fmt: skip
_SCORES: dict[str, Callable[[Compilation, Any, Table], str]] = {
    **{f"sklearn.{name}": linear_scores for name in _LINEAR},
    "sklearn.HistGradientBoostingClassifier": hist_gradient_boosting.raw_scores,
    "sklearn.GradientBoostingClassifier": forests.boosted_scores,
    "lightgbm.LGBMClassifier": lightgbm_models.raw_scores,
}


def decision_scores(compilation: Compilation, estimator: Any, table: Table) -> str:
    """The tensor of `decision_function`, or of `predict_proba` where there is none: [rows, 1] for two classes (of
    the second one), [rows, k] for more.

    Raises:
        NotCompilable: there is no compiled form.
    """
    name = name_of(estimator)
    if name == "sklearn.Pipeline":
        table = convert_steps(compilation, estimator.steps[:-1], table)
        return decision_scores(compilation, estimator.steps[-1][1], table)
    write = _SCORES.get(name)
    if hasattr(estimator, "decision_function"):
        if write is not None:
            return write(compilation, estimator, table)
        raise NotCompilable(f"there is no compiled form of the scores of {type(estimator).__name__}")
    shares = convert_predictor(compilation, estimator, table).tensor
    graph = compilation.graph
    if graph.width_of(shares) == 2:
        return graph.op("Gather", shares, graph.vector(1), width=1, axis=1)
    return shares
