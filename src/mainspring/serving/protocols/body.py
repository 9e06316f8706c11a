"""JSON bodies, decoded so that no input whatever is more than a refusal."""

import json
from typing import Any

import msgspec

from mainspring.errors import MalformedRequest

_DECODER = msgspec.json.Decoder()


def decode_json(body: bytes) -> Any:
    """The JSON value of a body; of a key that comes twice, the last value.

    Raises:
        MalformedRequest: no JSON (NaN and Infinity are none), too deeply nested, not UTF-8, or a number that no
            64-bit float can hold.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        problem, cure = (
            f"the body holds a number that is out of range ({error})",
            "send null for an unknown number",
        )
    except msgspec.DecodeError as error:
        if not body.strip():
            problem, cure = "the body is empty", "send a JSON object or array"
        else:
            problem, cure = f"the body is no JSON: {error}", "mend it; NaN and Infinity are no JSON, null is"
    except RecursionError:
        problem, cure = "the body is nested too deeply", "send rows as objects of plain values"
    except UnicodeDecodeError:
        problem, cure = "the body is not UTF-8", "encode it as UTF-8"
    except ValueError:  # an integer of thousands of digits
        problem, cure = "the body holds a number that is too long", "send numbers of at most 300 digits"
    raise MalformedRequest(problem, cure=cure)


def decode_json_with_nan(body: bytes) -> Any:
    """The JSON value of a body in which `NaN` may stand for a missing value; it becomes null.

    No JSON has it, but the clients of TensorFlow Serving, MLflow and Triton write it.

    Raises:
        MalformedRequest: as `decode_json`; `Infinity` is refused.

    Examples:
        >>> decode_json_with_nan(b'{"age": NaN}')
        {'age': None}
    """
    try:
        return decode_json(body)
    except MalformedRequest as error:
        if b"NaN" not in body:
            raise
        try:
            return json.loads(body, parse_constant=_constant)
        except (ValueError, RecursionError):  # the error of what is JSON by the letter tells more
            raise error from None


def _constant(word: str) -> None:
    if word != "NaN":
        raise MalformedRequest(
            f"the body holds the number {word}", cure="send finite numbers, and NaN or null for an unknown one"
        )


def rows_of(document: Any) -> list[Any]:
    """The rows of a request.

    Raises:
        MalformedRequest: neither an object nor an array.

    Examples:
        >>> rows_of({"age": 3})
        [{'age': 3}]
        >>> rows_of({"rows": [{"age": 3}]})
        [{'age': 3}]
    """
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        # No value of a row is ever an array, so this cannot be a row with a feature of that name.
        if len(document) == 1 and isinstance(document.get("rows"), list):
            rows: list[Any] = document["rows"]
            return rows
        return [document]
    raise MalformedRequest(
        "the body is neither a row nor an array of rows",
        cure='send {"feature": value, …}, [{…}, {…}] or {"rows": [{…}]}',
    )
