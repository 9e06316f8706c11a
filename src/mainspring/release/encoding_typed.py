"""Rows of a request, decoded straight into the layout of one release: the quick way of what is right anyway.

A type made for the release takes exactly its fields, so that decoding is checking. What it does not take (another
spelling of a value, a further field, whatever is wrong) goes the careful way of `encoding`, which reads more and
names what it refuses. Both ways give the same numbers.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.domain.request_values import RefusedValue
from mainspring.domain.schema import Kind
from mainspring.release.encoding import GREATEST_INTEGER, plan_of

_Integer = Annotated[int, msgspec.Meta(ge=-GREATEST_INTEGER, le=GREATEST_INTEGER - 1)]
_TYPES: dict[Kind, Any] = {Kind.NUMBER: float, Kind.INTEGER: _Integer, Kind.BOOLEAN: bool}
_KEY = str | int | float | bool | None


class TypedRows:
    """Decodes and converts the rows of requests for one release.

    Args:
        inputs: the release's fields, in the model's order.
        key: a further field that rows may have, the event's key.

    Attributes:
        has_key: the key is a field of its own, and not one of the inputs.

    Raises:
        ValueError: these fields have names that no such type can have.

    Examples:
        >>> age, job = InputField("age", Kind.NUMBER), InputField("job", Kind.CATEGORY, vocabulary=("pilot",))
        >>> typed = TypedRows([age, job])
        >>> typed.matrix(typed.decode(b'[{"age": 31, "job": "pilot"}, {"age": null, "job": "baker"}]'))
        array([[31.,  0.],
               [nan,  1.]])
        >>> typed.decode(b'{"age": "31", "job": "pilot"}') is None
        True
    """

    def __init__(self, inputs: Sequence[InputField], key: str | None = None) -> None:
        slots: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        names: dict[str, str] = {}
        reads: list[str] = []
        scope: dict[str, Any] = {"pack": struct.Struct(f"{len(inputs)}d").pack}
        careful: dict[str, Any] = {}
        for place, field in enumerate(inputs):
            slot = f"f{place}"
            names[slot] = field.name
            codes, convert, *_ = plan_of(field)
            if codes is not None:
                kind: Any = str
                scope[f"code{place}"] = codes
                careful[f"code{place}"] = _Codes(codes, convert)
                reads.append(f"code{place}[row.{slot}]")
            elif field.kind in _TYPES:
                kind = _TYPES[field.kind]
                scope[f"number{place}"] = _number
                reads.append(f"row.{slot}" if field.required else f"number{place}(row.{slot})")
            else:
                kind = _KEY
                scope[f"read{place}"] = convert
                reads.append(f"read{place}(row.{slot})")
            slots.append((slot, kind if field.required else kind | None))
        # An input is read as its kind has it, which need not be as it was written.
        self.has_key = key is not None and key not in names.values()
        if self.has_key:
            names["key"] = str(key)
            slots.append(("key", _KEY | msgspec.UnsetType, msgspec.UNSET))
        row = msgspec.defstruct("Row", slots, rename=names, forbid_unknown_fields=True, gc=False, frozen=True)
        self._row = row
        self._width = len(inputs)
        self._decode = msgspec.json.Decoder(row | list[row]).decode  # type: ignore[valid-type]
        # One expression for the whole row costs a third of a loop over its fields. It holds nothing of the user's:
        # the names in it are numbered.
        whole = f"lambda row: pack({', '.join(reads)})"
        self._pack: Callable[[Any], bytes] = eval(whole, scope)  # noqa: S307
        self._pack_careful: Callable[[Any], bytes] = eval(whole, scope | careful)  # noqa: S307

    def decode(self, body: bytes) -> list[Any] | None:
        """The rows of a body, or `None` where they have to be read the careful way."""
        try:
            found = self._decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return found if found.__class__ is list else [found]

    def key_of(self, row: Any) -> object:
        """The further field of a decoded row, `None` where it is not there; only where `has_key`."""
        return None if row.key is msgspec.UNSET else row.key

    def matrix(self, rows: Sequence[Any]) -> npt.NDArray[np.float64] | None:
        """What was decoded in the compiled layout, float64 `[len(rows), len(inputs)]`; or `None`, as `decode`."""
        try:
            try:
                content = self._packed(self._pack, rows)
            except KeyError:  # a text that is none of the codes; a plain dictionary is quicker for all others
                content = self._packed(self._pack_careful, rows)
        except (RefusedValue, OverflowError, struct.error):
            return None
        return np.ndarray((len(rows), self._width), np.float64, content)

    def _packed(self, pack: Callable[[Any], bytes], rows: Sequence[Any]) -> bytes:
        return pack(rows[0]) if len(rows) == 1 else b"".join([pack(row) for row in rows])


class _Codes(dict[str | None, float]):
    """The codes of texts; a text that is none of them is read with care."""

    def __init__(self, codes: dict[str | None, float], convert: Callable[[object], float]) -> None:
        super().__init__(codes)
        self._convert = convert

    def __missing__(self, text: str | None) -> float:
        return self._convert(text)


def _number(value: float | None) -> float:
    return _NAN if value is None else value


_NAN = float("nan")
