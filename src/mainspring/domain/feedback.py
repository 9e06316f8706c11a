"""What came true: the messages that say so, and which of several holds.

The law, by which every reader of the labels goes:

1. A message is about one prediction (by its id) or about one event (by its key); by key it holds for every
   prediction of that event, since the event's key names one event and all its predictions share its truth.
2. Of the messages about the same prediction (or key) and of the same name, the one received last holds; of those
   received in the same microsecond the one with the greatest `feedback_id`. One that withdraws holds like others,
   and says that nothing is known.
3. What is said of a prediction by its id holds before what is said by its key, however old it is.
4. A message with an id of the sender's counts once for what it is about, when it first came. One without gets an
   id by its content: saying the same again changes nothing, and going back to what was said earlier is a
   correction like any other.
5. As of a time, only what was received by then counts. So what was known at a time never changes afterwards.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from mainspring.domain.instants import in_utc
from mainspring.domain.prediction_log import TRUTH
from mainspring.domain.truth import RefusedTruth, Truth, described, number, quoted
from mainspring.errors import InvalidInput

FIELDS = ("prediction_id", "key", "name", "label", "value", "withdraw", "happened_at", "feedback_id")
DERIVED = "="  # what an id by content begins with, and none of a sender's

LONGEST_KEY = 1_000
_PREDICTION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:+=-]{0,99})(?:/([0-9]{1,9}))?")
_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_GIVEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,99}")


@dataclass(frozen=True, slots=True)
class Message:
    """One statement of what came true.

    Attributes:
        feedback_id: the sender's, or one by content.
        prediction_id: request id / row; or `None`, and then
        key: the event's key.
        name: `label` for the truth of the target, else the name of a business outcome.
        label: the class.
        value: the number of a regression's target or of an outcome. With neither the message withdraws.
        happened_at: when it came true, where that was said.
    """

    feedback_id: str
    prediction_id: str | None
    key: str | None
    name: str
    label: str | None
    value: float | None
    happened_at: datetime | None


class RefusedField(Exception):
    """A field of a message that makes no sense; the shell that read it adds the place.

    Args:
        field: its name.
        problem: continues "the field 'key' …".
        cure: what to send instead.
    """

    def __init__(self, field: str, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem
        self.cure = cure


def message(
    *,
    prediction_id: str | None,
    key: str | None,
    name: str,
    label: str | None,
    value: float | None,
    happened_at: datetime | None,
    feedback_id: str | None = None,
) -> Message:
    """A message; without an id of the sender's it gets one by its content.

    Examples:
        >>> said = dict(prediction_id="r1/0", key=None, name="label", label="yes", value=None, happened_at=None)
        >>> message(**said) == message(**said)
        True
        >>> message(**said).feedback_id == message(**{**said, "label": "no"}).feedback_id
        False
    """
    if feedback_id is None:
        when = happened_at.isoformat() if happened_at is not None else None
        content = repr((prediction_id, key, name, label, value, when)).encode()
        feedback_id = DERIVED + hashlib.blake2b(content, digest_size=16).hexdigest()
    return Message(feedback_id, prediction_id, key, name, label, value, happened_at)


def with_key(said: Message, key: str) -> Message:
    """The same message about another key; an id by content is made anew, and tells nothing of the old key."""
    return message(
        prediction_id=None,
        key=key,
        name=said.name,
        label=said.label,
        value=said.value,
        happened_at=said.happened_at,
        feedback_id=None if said.feedback_id.startswith(DERIVED) else said.feedback_id,
    )


def read_message(document: object, truth: Truth, row: int) -> Message:
    """One message as JSON has it.

    Args:
        document: an object with `FIELDS`, e.g. `{"prediction_id": "…/0", "label": "yes"}`.
        truth: reads the labels of this model.
        row: the message's place in the request, for errors.

    Raises:
        InvalidInput: a field that makes no sense, named.

    Examples:
        >>> from mainspring.domain.release import OutputSpec
        >>> from mainspring.domain.task import Task
        >>> price = Truth(OutputSpec(Task.REGRESSION))
        >>> read_message({"key": 17, "label": 3}, price, 0).value
        3.0
        >>> read_message({"key": "17", "name": "revenue", "value": 0.25}, price, 0).name
        'revenue'
    """
    if not isinstance(document, dict):
        raise InvalidInput(
            f"row {row} is {described(document)}, not an object",
            cure='send {"prediction_id": "…", "label": …}',
            where={"row": row},
        )
    try:
        return _read(document, truth)
    except RefusedField as error:
        raise InvalidInput(
            f"row {row}: the field {quoted(error.field)} {error.problem}",
            cure=error.cure,
            where={"row": row, "field": error.field},
        ) from None


def prediction_of(value: object, field: str = "prediction_id") -> str:
    """The id of a prediction; without the row's number the first row is meant, for one-row requests the only one.

    Raises:
        RefusedField: it is none.

    Examples:
        >>> prediction_of("0190-a")
        '0190-a/0'
    """
    found = _PREDICTION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        problem = f"is {described(value)}, no id of a prediction"
        raise RefusedField(field, problem, "send the answer's x-prediction-id, a slash and the row's number")
    return f"{found[1]}/{int(found[2] or 0)}"


def key_of(value: object, field: str = "key") -> str:
    """The text of an event's key.

    Raises:
        RefusedField: neither a text nor a whole number, empty, or too long.

    Examples:
        >>> key_of(17)
        '17'
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**38:
        return str(value)
    if not isinstance(value, str):
        raise RefusedField(field, f"is {described(value)}, no key", "send the event's key as a JSON string")
    if not 0 < len(value) <= LONGEST_KEY:
        problem = f"has {len(value):,} characters"
        raise RefusedField(field, problem, f"send a key of 1 to {LONGEST_KEY:,} characters")
    return value


def outcome_name(value: object, field: str = "name") -> str:
    """`label`, or the name of a business outcome.

    Raises:
        RefusedField: it cannot name a column.
    """
    if isinstance(value, str) and _OUTCOME.fullmatch(value):
        return value
    cure = "use 1 to 63 lower-case letters, digits and _, a letter first; `label` is the target's truth"
    raise RefusedField(field, f"is {described(value)}, no name of an outcome", cure)


def given_id(value: object, field: str = "feedback_id") -> str:
    """The sender's id of a message.

    Raises:
        RefusedField: it is none.
    """
    if isinstance(value, str) and _GIVEN_ID.fullmatch(value):
        return value
    cure = "send at most 100 letters, digits and . _ : / + = -, a letter or digit first; or leave it out"
    raise RefusedField(field, f"is {described(value)}, no id", cure)


def instant(value: object, field: str = "happened_at") -> datetime:
    """A time in UTC.

    Raises:
        RefusedField: it is none.

    Examples:
        >>> instant("2026-01-31T09:00:00+01:00").isoformat()
        '2026-01-31T08:00:00+00:00'
    """
    if isinstance(value, str):
        try:
            return in_utc(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            pass
    cure = "send an ISO 8601 text, e.g. 2026-01-31T09:00:00Z"
    raise RefusedField(field, f"is {described(value)}, not a time", cure)


def _read(document: Mapping[str, Any], truth: Truth) -> Message:
    for field in document:
        if field not in FIELDS:
            near = get_close_matches(str(field)[:80], FIELDS, 1)
            cure = f"did you mean {near[0]!r}?" if near else f"the fields are {', '.join(FIELDS)}"
            raise RefusedField(str(field)[:80], "is not known", cure)
    prediction_id, key = document.get("prediction_id"), document.get("key")
    if prediction_id is None and key is None:
        raise RefusedField("prediction_id", "is absent, and so is the key", "say what came true for which of both")
    if prediction_id is not None and key is not None:
        raise RefusedField("key", "stands beside a prediction_id", "send one of the two")
    name = outcome_name(document["name"]) if document.get("name") is not None else TRUTH
    label, value = _content(document, name, truth)
    happened_at, feedback_id = document.get("happened_at"), document.get("feedback_id")
    return message(
        prediction_id=None if prediction_id is None else prediction_of(prediction_id),
        key=None if key is None else key_of(key),
        name=name,
        label=label,
        value=value,
        happened_at=None if happened_at is None else instant(happened_at),
        feedback_id=None if feedback_id is None else given_id(feedback_id),
    )


def _content(document: Mapping[str, Any], name: str, truth: Truth) -> tuple[str | None, float | None]:
    """What is said: a class, a number, or (withdrawn) neither."""
    withdraw = document.get("withdraw", False)
    if not isinstance(withdraw, bool):
        raise RefusedField("withdraw", f"is {described(withdraw)}", "send true or false")
    said = [field for field in ("label", "value") if document.get(field) is not None]
    if withdraw:
        if said:
            raise RefusedField(said[0], "stands beside withdraw", "send one of the two")
        return None, None
    expected = "value" if name != TRUTH else "label"
    if not said:
        cure = 'send it, or "withdraw": true to take back what was said'
        raise RefusedField(expected, "is null" if expected in document else "is absent", cure)
    # The truth of a regression is a number, and either word says it.
    if len(said) == 2 or (said[0] != expected and (name != TRUTH or truth.classes)):
        extra = next(field for field in said if field != expected)
        raise RefusedField(extra, f"is not for {name!r}", f"send {expected}")
    try:
        if name == TRUTH:
            return truth.read(document[said[0]])
        given = document[said[0]]
        return None, float(given) if isinstance(given, bool) else number(given)
    except RefusedTruth as error:
        raise RefusedField(said[0], error.problem, error.cure) from None
