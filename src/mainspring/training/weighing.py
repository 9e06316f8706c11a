"""Fits with a weight for each row, through the last step of a pipeline too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import CandidateError

if TYPE_CHECKING:
    import pandas as pd

_NAME = "sample_weight"


def fit_estimator(
    estimator: Any, X: pd.DataFrame, y: NDArray[Any], weights: NDArray[np.float64] | None, candidate: str
) -> Any:
    """Fit, and give what `fit` gave.

    Raises:
        CandidateError: there are weights, and the estimator takes none.
        Exception: whatever the user's code raises.
    """
    if weights is None:
        return estimator.fit(X, y)
    name = weight_name(estimator)
    if name is None:
        raise CandidateError(
            f"the estimator of the candidate {candidate!r} takes no weights of rows",
            cure="use one whose fit takes sample_weight, or take `weighted …` out of Retrain(windows=…)",
            where={"candidate": candidate},
        )
    return estimator.fit(X, y, **{name: weights})


def weight_name(estimator: Any) -> str | None:
    """By which name `fit` takes weights of rows: through the last step of a pipeline; `None` where it takes none.

    Examples:
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.neighbors import KNeighborsRegressor
        >>> from sklearn.pipeline import make_pipeline
        >>> weight_name(Ridge()), weight_name(make_pipeline(Ridge())), weight_name(KNeighborsRegressor())
        ('sample_weight', 'ridge__sample_weight', None)
    """
    from sklearn.utils.validation import has_fit_parameter

    steps = getattr(estimator, "steps", None)
    if steps:
        last, inner = steps[-1]
        name = weight_name(inner)
        return None if name is None else f"{last}__{name}"
    return _NAME if hasattr(estimator, "fit") and has_fit_parameter(estimator, _NAME) else None
