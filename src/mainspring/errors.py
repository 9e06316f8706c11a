"""Everything that Mainspring raises on purpose.

    MainspringError                    exit code 1
    ├── UsageError                     exit code 2: the call itself is wrong
    ├── ProjectError                   the user's folder
    │   ├── SettingsError              mainspring.toml or the environment
    │   ├── ModelFileError             model.py does not load
    │   └── DeclarationError           a name in model.py was declared with values that make no sense
    ├── DataError                      the rows
    │   ├── SourceNotFound
    │   ├── SourceFormatError          the file as a whole: encoding, header, ragged rows, size
    │   ├── ValueParseError            values of a column that are not of its kind
    │   ├── TargetError                absent, constant, missing, too few rows of a class
    │   └── ValidationFailed           the schema's errors, with the report
    ├── FeatureError                   a function of a feature view, or of features.py
    ├── TrainingError
    │   ├── CandidateError             the user's candidate raised, or returned no estimator
    │   ├── TrialTimeout
    │   ├── TrialOutOfMemory
    │   ├── NoTrialFinished
    │   └── TrainingStopped            by hand, before anything was worth keeping
    ├── Refused                        exit code 3: a gate failed or was inconclusive
    ├── ReleaseError
    │   ├── UnknownRelease
    │   ├── NotCompilable              why an estimator has no compiled form (the native runtime serves)
    │   ├── TamperedRelease            signature or digest does not match
    │   └── GoldenMismatch             the runtime does not answer as the original did
    ├── RequestError                   a request that cannot be answered; `field` and `row` name the place
    │   ├── InvalidInput
    │   ├── MalformedRequest           no JSON, or not of the dialect's form
    │   ├── RequestTooLarge
    │   ├── UnsupportedMedia           a content type or encoding that is not taken
    │   ├── UnknownModel
    │   ├── UnknownView                no release that is served takes features of it
    │   ├── NotAllowed                 the key does not carry the role
    │   ├── TooManyRequests            more in a second than the key may send
    │   └── Unavailable                not now: overloaded, or the release is not loaded
    ├── StoreError                     a store under the workspace: locked, full, unreadable
    │   ├── WorkspaceBusy              another process holds the lease
    │   ├── UnknownSnapshot
    │   ├── HistoryGone                the versions of a table that grows are kept for a week only
    │   └── DiskFull
    ├── NotDelivered                   a sink did not take an alert; it is tried again
    │   └── Undeliverable              it never will: it does not understand what we send
    └── NotReproduced                  a refit that differs, with what differs

Errors know no HTTP and no terminal: each carries what was wrong, where, and the cure, and the shells render it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class MainspringError(Exception):
    """A mistake that a person can mend.

    Args:
        message: what was wrong, naming the offender.
        cure: what to do about it, as an imperative sentence.
        where: the place, e.g. `{"file": "clicks.csv", "row": 17, "column": "age"}`.

    Examples:
        >>> error = MainspringError("the port 8000 is taken", cure="give another one with --port")
        >>> print(error)
        the port 8000 is taken; give another one with --port
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, cure: str = "", where: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.where = dict(where or {})

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}" if self.cure else self.message

    def to_dict(self) -> dict[str, Any]:
        """The error as one JSON object, for `--json` and for the HTTP shells."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "cure": self.cure,
            "where": self.where,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.cure, self.where)


def _rebuild(kind: type[MainspringError], message: str, cure: str, where: dict[str, Any]) -> MainspringError:
    return kind(message, cure=cure, where=where)


class UsageError(MainspringError):
    exit_code = 2


class ProjectError(MainspringError):
    pass


class SettingsError(ProjectError):
    pass


class ModelFileError(ProjectError):
    pass


class DeclarationError(ProjectError):
    pass


class DataError(MainspringError):
    pass


class SourceNotFound(DataError):
    pass


class SourceFormatError(DataError):
    pass


class ValueParseError(DataError):
    pass


class TargetError(DataError):
    pass


class ValidationFailed(DataError):
    pass


class FeatureError(MainspringError):
    """A function that makes features raised, or gave something else than one value for each row."""


class TrainingError(MainspringError):
    pass


class CandidateError(TrainingError):
    pass


class TrialTimeout(TrainingError):
    pass


class TrialOutOfMemory(TrainingError):
    pass


class NoTrialFinished(TrainingError):
    pass


class TrainingStopped(TrainingError):
    pass


class Refused(MainspringError):
    exit_code = 3


class ReleaseError(MainspringError):
    pass


class UnknownRelease(ReleaseError):
    pass


class NotCompilable(ReleaseError):
    pass


class TamperedRelease(ReleaseError):
    pass


class GoldenMismatch(ReleaseError):
    pass


class RequestError(MainspringError):
    pass


class InvalidInput(RequestError):
    pass


class MalformedRequest(RequestError):
    pass


class RequestTooLarge(RequestError):
    pass


class UnsupportedMedia(RequestError):
    pass


class UnknownModel(RequestError):
    pass


class UnknownView(RequestError):
    pass


class NotAllowed(RequestError):
    pass


class TooManyRequests(RequestError):
    pass


class Unavailable(RequestError):
    pass


class StoreError(MainspringError):
    pass


class WorkspaceBusy(StoreError):
    pass


class UnknownSnapshot(StoreError):
    pass


class HistoryGone(StoreError):
    pass


class DiskFull(StoreError):
    pass


class NotReproduced(MainspringError):
    pass


class NotDelivered(MainspringError):
    pass


class Undeliverable(NotDelivered):
    pass
