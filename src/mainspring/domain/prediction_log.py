"""The tables of what was answered and of what came true: their names, their columns and what each holds.

One pair of tables for each model, so that a feature is a column with a type. Kinds are Arrow's, by name, since the
domain knows no library.
"""

from enum import StrEnum

INPUT_PREFIX = "input_"


class Role(StrEnum):
    """As what a release answered."""

    CHAMPION = "champion"
    CANARY = "canary"  # a challenger that answers a share of the requests
    ARM = "arm"  # one of the fixed groups of an A/B test
    PINNED = "pinned"  # named by the request
    SHADOW = "shadow"  # beside the answer, unheard


# One row for each prediction; `input_<feature>` columns of the release's kinds follow. (id, release) names one.
PREDICTION_COLUMNS: dict[str, str] = {
    "day": "date32",  # of `at`, UTC; the partition
    "id": "string",  # request id / row
    "request_id": "string",
    "row": "int32",
    "at": "timestamp[us, UTC]",
    "release": "int32",
    "role": "string",  # a `Role`
    "arm": "string",  # of an A/B test
    "key": "string",  # the event's own key, where the request had it
    "latency_us": "int32",
    "prediction": "string",  # the class; null for a regression
    "value": "double",  # the predicted value, or the probability of the positive (else the predicted) class
    "outputs": "list<double>",  # every probability in the order of the classes, or the value alone
}

# One row for each message of feedback, as it came; which one holds is decided when it is read.
LABEL_COLUMNS: dict[str, str] = {
    "day": "date32",  # of `at`, UTC; the partition
    "feedback_id": "string",  # a message that comes twice with the same id counts once
    "prediction_id": "string",  # request id / row; or null, and then
    "key": "string",  # the event's key
    "name": "string",  # `label` for the truth of the target, else the name of a business outcome
    "label": "string",  # the class; null otherwise
    "value": "double",  # the number of a regression's target or of an outcome
    "happened_at": "timestamp[us, UTC]",  # when it came true, where that was said
    "at": "timestamp[us, UTC]",  # when it was received
}

TRUTH = "label"


def predictions_table(model: str) -> str:
    """The name of a model's prediction log.

    Examples:
        >>> predictions_table("adclick")
        'predictions/adclick'
    """
    return f"predictions/{model}"


def labels_table(model: str) -> str:
    """The name of the table of a model's labels and outcomes."""
    return f"labels/{model}"
