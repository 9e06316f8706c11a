"""Rows as lists of values or as columns → rows by name: the forms of TensorFlow Serving and MLflow."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from mainspring.errors import InvalidInput, MalformedRequest


def named_rows(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Rows by name; a list of values is taken in the order of the names, a bare value as that of the only name.

    Raises:
        InvalidInput: a row of another length.

    Examples:
        >>> named_rows([[31, "pilot"], {"age": 32, "job": None}], ("age", "job"))
        [{'age': 31, 'job': 'pilot'}, {'age': 32, 'job': None}]
    """
    return [_named(row, names, number) for number, row in enumerate(rows)]


def _named(row: Any, names: Sequence[str], number: int) -> Any:
    if not isinstance(row, list):
        return row if isinstance(row, dict) or len(names) != 1 else {names[0]: row}
    if len(row) != len(names):
        raise InvalidInput(
            f"row {number} has {len(row)} values, not {len(names)}",
            cure="send one for each feature in the order that the metadata gives, or objects by feature name",
            where={"row": number},
        )
    return dict(zip(names, row, strict=True))


def rows_of_columns(inputs: Any, names: Sequence[str]) -> list[Any]:
    """The rows of `{"feature": [values]}`, or of a list of rows.

    Raises:
        MalformedRequest: neither.
        InvalidInput: columns of different lengths.

    Examples:
        >>> rows_of_columns({"age": [31, 32]}, ("age",))
        [{'age': 31}, {'age': 32}]
    """
    if isinstance(inputs, list):
        return named_rows(inputs, names)
    if not isinstance(inputs, dict) or not inputs:
        raise MalformedRequest("'inputs' is neither an object nor an array", cure='send {"feature": [values]}')
    lengths = set()
    for name, values in inputs.items():
        if not isinstance(values, list):
            raise InvalidInput(
                f"the input {name[:80]!r} is no array",
                cure="send one value for each row",
                where={"field": name[:80]},
            )
        lengths.add(len(values))
    if len(lengths) != 1:
        raise InvalidInput(
            f"the inputs have different numbers of rows: {sorted(lengths)[:5]}",
            cure="send one value for each row, null where it is unknown",
        )
    return [dict(zip(inputs, values, strict=True)) for values in zip(*inputs.values(), strict=True)]


def unpacked(rows: Sequence[Any]) -> list[Any]:
    """The rows with each `{"b64": …}` replaced by the text that it packs.

    Raises:
        InvalidInput: no base64, or no UTF-8 in it.

    Examples:
        >>> unpacked([{"job": {"b64": "cGlsb3Q="}}])
        [{'job': 'pilot'}]
    """
    return [
        {name: _text(value, number, name) for name, value in row.items()} if isinstance(row, dict) else row
        for number, row in enumerate(rows)
    ]


def _text(value: Any, number: int, name: str) -> Any:
    if not isinstance(value, dict) or value.keys() != {"b64"} or not isinstance(value["b64"], str):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True).decode()
    except (binascii.Error, ValueError):  # a UnicodeDecodeError is a ValueError
        raise InvalidInput(
            f"row {number}: field {name[:80]!r} is no base64 of a UTF-8 text",
            cure="send the text as it is, or its UTF-8 bytes in base64",
            where={"row": number, "field": name[:80]},
        ) from None
