"""What a fit decided by itself, such as the number of iterations after early stopping."""

from collections.abc import Iterator
from typing import Any

import numpy as np

_DECISIONS = ("n_iter_", "best_iteration_", "n_estimators_", "best_ntree_limit")


def fitted_decisions(estimator: Any) -> dict[str, Any]:
    """The decisions of a fitted estimator and of the steps within it, as plain numbers.

    Examples:
        >>> from sklearn.linear_model import LogisticRegression
        >>> fitted_decisions(LogisticRegression().fit([[0.0], [1.0]], [0, 1])).keys()
        dict_keys(['n_iter_'])
    """
    found: dict[str, Any] = {}
    for prefix, part in _parts("", estimator):
        for name in _DECISIONS:
            try:
                value = getattr(part, name, None)
            except Exception:  # noqa: S112 - a property that is undefined before a fit of some kind
                continue
            if isinstance(value, int | np.integer | np.ndarray) and np.size(value) <= 64:
                found[prefix + name] = np.asarray(value).tolist()
    return found


def _parts(prefix: str, estimator: Any) -> Iterator[tuple[str, Any]]:
    yield prefix, estimator
    for name, step in getattr(estimator, "steps", None) or ():
        yield from _parts(f"{prefix}{name}__", step)
    for name in ("estimator_", "regressor_", "classifier_", "final_estimator_", "best_estimator_"):
        inner = vars(estimator).get(name) if hasattr(estimator, "__dict__") else None
        if inner is not None:
            yield from _parts(f"{prefix}{name}__", inner)
