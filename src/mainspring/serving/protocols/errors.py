"""How our errors become HTTP: the one place where a status code stands beside an error."""

import msgspec

from mainspring.errors import (
    CandidateError,
    InvalidInput,
    MainspringError,
    MalformedRequest,
    ReleaseError,
    RequestTooLarge,
    Unavailable,
    UnknownModel,
    UnknownRelease,
)

_STATUS: tuple[tuple[type[MainspringError], int], ...] = (
    (InvalidInput, 422),
    (CandidateError, 422),  # a native estimator refuses the rows
    (MalformedRequest, 400),
    (RequestTooLarge, 413),
    (UnknownModel, 404),
    (UnknownRelease, 404),
    (Unavailable, 503),
    (ReleaseError, 503),
)


def status_of(error: MainspringError) -> int:
    """The status of an error.

    Examples:
        >>> status_of(InvalidInput("row 0: the field 'age' is absent"))
        422
    """
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


NATIVE = NativeDialect()
TENSORFLOW = TensorFlowDialect()
