"""How our errors become HTTP: the one place where a status code stands beside an error."""

from typing import Any

import msgspec

from mainspring.errors import (
    CandidateError,
    FeatureError,
    InvalidInput,
    MainspringError,
    MalformedRequest,
    NotAllowed,
    ReleaseError,
    RequestTooLarge,
    TooManyRequests,
    Unavailable,
    UnknownModel,
    UnknownRelease,
    UnknownView,
    UnsupportedMedia,
)
from mainspring.serving.exchange import Dialect

_STATUS: tuple[tuple[type[MainspringError], int], ...] = (
    (InvalidInput, 422),
    (CandidateError, 422),  # a native estimator refuses the rows
    (FeatureError, 422),  # a function of features.py does
    (MalformedRequest, 400),
    (RequestTooLarge, 413),
    (UnsupportedMedia, 415),
    (NotAllowed, 403),
    (TooManyRequests, 429),
    (UnknownModel, 404),
    (UnknownRelease, 404),
    (UnknownView, 404),
    (Unavailable, 503),
    (ReleaseError, 503),
)


class HttpRefusal(MainspringError):
    """What HTTP alone can get wrong, in the shape of our errors.

    Args:
        status: with which it is answered.
    """

    def __init__(self, status: int, message: str, cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.status = status

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"error": "RequestRefused"}


def status_of(error: MainspringError) -> int:
    """The status of an error.

    Examples:
        >>> status_of(InvalidInput("row 0: the field 'age' is absent"))
        422
    """
    if isinstance(error, HttpRefusal):
        return error.status
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


class NativeDialect:
    """`{"error": "InvalidInput", "message": …, "cure": …, "where": {"row": 0, "field": "age"}}`"""

    def status_of(self, error: MainspringError) -> int:
        return status_of(error)

    def error_body(self, error: MainspringError) -> bytes:
        return msgspec.json.encode(error.to_dict())


class TensorFlowDialect:
    """`{"error": "message"}`; what the request got wrong is 400, as in TensorFlow Serving."""

    def status_of(self, error: MainspringError) -> int:
        status = status_of(error)
        return 400 if status == 422 else status

    def error_body(self, error: MainspringError) -> bytes:
        return msgspec.json.encode({"error": str(error)})


class OpenInferenceDialect(TensorFlowDialect):
    """`{"error": "message"}`; what the request got wrong is 400, as in Triton."""


class MlflowDialect:
    """`{"error_code": "BAD_REQUEST", "message": …}`, as MLflow's scoring server answers; 400 for 422, as there."""

    def status_of(self, error: MainspringError) -> int:
        status = status_of(error)
        return 400 if status == 422 else status

    def error_body(self, error: MainspringError) -> bytes:
        code = _MLFLOW_CODES.get(status_of(error), "BAD_REQUEST")
        return msgspec.json.encode({"error_code": code, "message": str(error)})


_MLFLOW_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "ENDPOINT_NOT_FOUND",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}

NATIVE = NativeDialect()
TENSORFLOW = TensorFlowDialect()
OPENINFERENCE = OpenInferenceDialect()
MLFLOW = MlflowDialect()

_BY_FIRST_PART: dict[str, Dialect] = {
    "v1": TENSORFLOW,
    "v2": OPENINFERENCE,
    "invocations": MLFLOW,
    "ping": MLFLOW,
    "health": MLFLOW,
    "version": MLFLOW,
}


def dialect_of(path: str) -> Dialect:
    """The dialect in which a path is answered, whether or not there is anything at it.

    Examples:
        >>> dialect_of("/v2/models/adult/infer") is OPENINFERENCE
        True
        >>> dialect_of("/nosuch") is NATIVE
        True
    """
    _, _, rest = path.partition("/")
    return _BY_FIRST_PART.get(rest.partition("/")[0], NATIVE)


def name_in(path: str) -> str:
    """What stands in a path where a model's name would; empty where none does.

    Examples:
        >>> name_in("/predict/adult@3"), name_in("/v1/models/adult:predict"), name_in("/v2/models/adult/infer")
        ('adult', 'adult', 'adult')
        >>> name_in("/metrics")
        ''
    """
    _, first, second, third, *_ = (*path.split("/", 4), "", "", "", "")
    name = second if first in ("predict", "feedback") else third if second == "models" else ""
    return name.partition(":")[0].partition("@")[0]
