"""The trials that both sides of the pipeline benchmark fit: the same list, the same pipeline."""

import itertools
from typing import Any

CATEGORIES = (
    "workclass", "education", "marital_status", "occupation", "relationship", "race", "sex", "native_country",
)  # fmt: skip
NUMBERS = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
TARGET = "income"
FOLDS = 3  # how often a trial is fitted and scored before the best one is fitted on all rows

TRIALS: list[dict[str, Any]] = [
    {"learning_rate": rate, "max_leaf_nodes": leaves, "max_iter": 200, "early_stopping": False}
    for rate, leaves in itertools.product((0.04, 0.08, 0.16), (15, 31, 63, 127))
]


def pipeline(parameters: dict[str, Any]) -> Any:
    """Categories to codes, then boosted trees."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = make_column_transformer((codes, list(CATEGORIES)), ("passthrough", list(NUMBERS)))
    return make_pipeline(encoder, HistGradientBoostingClassifier(**parameters, random_state=0))
