"""What names of columns and texts of cells usually mean."""

from __future__ import annotations

import re

# fmt: off
MISSING_ANYWHERE = frozenset((
    "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "N.A.", "n.a.", "NaN", "nan", "NAN", "NaT",
    "NULL", "null", "Null", "(null)", "\\N", "-", "--",
))
# In a column of numbers or times no other word can be a value; among categories these may be.
MISSING_AMONG_NUMBERS = frozenset((
    "none", "None", "NONE", "unknown", "Unknown", "UNKNOWN", "missing", "Missing", "MISSING", "undefined",
    "na", "nil", ".", "..", "...", "*", "nd", "n.d.", "tbd", "TBD",
))
_TARGET = frozenset((
    "target", "label", "class", "outcome", "response", "churn", "clicked", "click", "default", "fraud",
    "survived",
))
# fmt: on

TRUE = frozenset(("true", "yes", "y", "t", "on", "1"))
FALSE = frozenset(("false", "no", "n", "f", "off", "0"))

_TIME = frozenset(
    ("time", "timestamp", "ts", "date", "datetime", "epoch", "when", "day", "created", "updated", "at", "utc")
)
_ROW_TIME = ("event", "created", "timestamp", "datetime", "start", "pickup", "shown", "time", "date", "at")
_ID = frozenset(["id", "ids", "uuid", "guid", "key", "hash", "no", "nr", "number", "code", "index", "idx"])
_STRICT_ID = frozenset(["id", "uuid", "guid", "key", "hash"])
_NO_TARGET = frozenset(["pred", "prediction", "predicted", "proba", "probability", "score"])


def words_of(name: str) -> tuple[str, ...]:
    """The words of a column's name, in lower case.

    Examples:
        >>> words_of("customerID"), words_of("trip_start_timestamp")
        (('customer', 'id'), ('trip', 'start', 'timestamp'))
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word)


def names_a_time(name: str) -> bool:
    """Whether a column of this name may hold epoch seconds.

    Examples:
        >>> names_a_time("created_at"), names_a_time("latitude")
        (True, False)
    """
    return any(word in _TIME for word in words_of(name))


def names_an_id(name: str, *, strict: bool = False) -> bool:
    """Whether the name says that the column names things; `strict` leaves out words such as `number`."""
    return any(word in (_STRICT_ID if strict else _ID) for word in words_of(name))


def names_a_target(name: str) -> bool:
    words = words_of(name)
    return not _NO_TARGET.intersection(words) and (name in ("y", "Y") or any(word in _TARGET for word in words))


def rank_of_time(name: str) -> int:
    """The smaller, the more likely the column is the time at which the row happened."""
    words = words_of(name)
    return min((place for place, word in enumerate(_ROW_TIME) if word in words), default=len(_ROW_TIME))
