"""Values that come as text (a CSV cell, a BYTES element) or as plain numbers → values as JSON rows have them.

What does not fit is passed on as it is: the encoder refuses it, and names row and field.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind

Reader = Callable[[str], Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_NAN = frozenset({"nan", "NaN", "NAN"})


def text_cell(field: InputField) -> Reader:
    """The function that reads a text as the field's value.

    An empty text is a missing value, unless the field knows it as one of its categories or is free text.

    Examples:
        >>> text_cell(InputField("age", Kind.NUMBER))("31.5")
        31.5
        >>> text_cell(InputField("job", Kind.CATEGORY, vocabulary=("clerk",)))("") is None
        True
        >>> text_cell(InputField("job", Kind.CATEGORY, vocabulary=("", "clerk")))("")
        ''
    """
    if field.kind in (Kind.NUMBER, Kind.INTEGER):
        return _number
    if field.kind is Kind.BOOLEAN:
        spelled = frozenset((*field.true, *field.false))
        return lambda text: text if text in spelled else _boolean(text)
    if field.kind is Kind.TIME:
        epoch = (field.time_format or "").startswith("epoch")
        return _number if epoch else (lambda text: text.strip() or None)
    if field.kind is Kind.TEXT or "" in (*(field.vocabulary or ()), *(field.categories or ())):
        return lambda text: text
    return lambda text: text or None


def plain_cells(field: InputField | None, values: Sequence[Any]) -> list[Any]:
    """Numbers as the field's values: NaN is a missing value, and 0 and 1 are truth values of a boolean field.

    Examples:
        >>> plain_cells(InputField("age", Kind.INTEGER), [31.0, float("nan")])
        [31.0, None]
        >>> plain_cells(InputField("member", Kind.BOOLEAN), [1, 0])
        [True, False]
    """
    found = [None if value != value else value for value in values]
    if field is not None and field.kind is Kind.BOOLEAN:
        return [bool(value) if value in (0, 1) else value for value in found]
    return found


def _number(text: str) -> Any:
    stripped = text.strip()
    if not stripped or stripped in _NAN:
        return None
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    return float(stripped) if _NUMBER.fullmatch(stripped) else text


def _boolean(text: str) -> Any:
    stripped = text.strip()
    if not stripped or stripped in _NAN:
        return None
    return {"true": True, "false": False}.get(stripped.lower(), text)
