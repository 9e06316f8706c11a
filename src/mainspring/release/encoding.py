"""Rows of a request → the matrix that a compiled model takes, or the columns that the original takes.

The compiled layout is float64 `[rows, fields]`: numbers, booleans (1 for true) and times (seconds since the epoch,
UTC) stand as they are, NaN where missing; a text is its code in the field's vocabulary (see `InputField`).
Validation and conversion are one pass: a request that is right costs no more than reading it.

Imports nothing but the standard library and numpy: gateway workers use it.
"""

import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.domain.request_values import RefusedValue, describe
from mainspring.domain.schema import Kind
from mainspring.errors import InvalidInput
from mainspring.release.encoding_cells import NUMERIC_KINDS, Number, number_reader, text_reader

Row = Mapping[str, object]

# From so many rows on, converting column by column is faster than row by row (measured).
_COLUMNAR = 16
GREATEST_INTEGER = 2**63


def codes_of(field: InputField) -> dict[str | None, float]:
    """The code of each text that the field's vocabulary knows, of each spelling of missing, and of null.

    Examples:
        >>> codes_of(InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"), missing=("?",)))
        {'clerk': 0.0, 'pilot': 1.0, '?': 3.0, None: 3.0}
    """
    vocabulary = field.vocabulary or ()
    codes: dict[str | None, float] = {word: float(code) for code, word in enumerate(vocabulary)}
    absent = missing_code(field)
    for token in field.missing:
        codes[token] = absent
    codes[None] = absent
    return codes


def unknown_code(field: InputField) -> float:
    """The code of a text that the model does not know."""
    return float(len(field.vocabulary or ()))


def missing_code(field: InputField) -> float:
    """The code of a missing text; a free text is never missing but empty, as in the estimator's frame."""
    vocabulary = field.vocabulary or ()
    if field.kind is Kind.TEXT:
        return float(vocabulary.index("")) if "" in vocabulary else unknown_code(field)
    return unknown_code(field) + 1.0


class Encoder:
    """Checks and converts the rows of requests for one release.

    Args:
        inputs: the release's fields, in the model's order.
        ignored: further fields that a row may have, with any plain value: the event's key, and what other releases
            of the model take.

    Examples:
        >>> age = InputField("age", Kind.INTEGER)
        >>> job = InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"))
        >>> Encoder([age, job]).rows_to_matrix([{"age": 31, "job": "pilot"}, {"age": None, "job": "baker"}])
        array([[31.,  1.],
               [nan,  2.]])
        >>> Encoder([age]).rows_to_matrix([{"age": "31"}])
        Traceback (most recent call last):
        mainspring.errors.InvalidInput: row 0: field 'age' is the text '31', not a number; send a JSON number, \
without quotes
    """

    def __init__(self, inputs: Sequence[InputField], ignored: Iterable[str] = ()) -> None:
        self.inputs = tuple(inputs)
        self._names = tuple(field.name for field in self.inputs)
        self._ignored = frozenset(ignored).difference(self._names)
        self._width = len(self.inputs)
        self._values = _values_getter(self._names)
        self._plan = tuple(plan_of(field) for field in self.inputs)
        self._pack = struct.Struct(f"{self._width}d").pack

    def rows_to_matrix(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        """The rows in the compiled layout, float64 `[len(rows), len(inputs)]`.

        Raises:
            InvalidInput: an unknown or absent field, or a value that the field does not take; it names the first.
        """
        try:
            if len(rows) == 1:
                return self._one(rows[0])
            if len(rows) < _COLUMNAR:
                return np.concatenate([self._one(row) for row in rows]) if rows else np.empty((0, self._width))
            return self._many(rows)
        except (RefusedValue, KeyError, TypeError, AttributeError, OverflowError, _Mismatch):
            return self._slowly(rows)

    def rows_to_columns(self, rows: Sequence[Row]) -> dict[str, list[float | str | None]]:
        """The validated values by field, as the original estimator's frame takes them: floats (NaN where missing)
        for numbers, booleans and times, and texts (None where missing) for the rest.

        Raises:
            InvalidInput: as `rows_to_matrix`.
        """
        columns: dict[str, list[float | str | None]] = {name: [] for name in self._names}
        readers = [
            (field.name, number_reader(field) if field.kind in NUMERIC_KINDS else text_reader(field))
            for field in self.inputs
        ]
        for number, row in enumerate(rows):
            self._check_fields(number, row)
            for name, read in readers:
                try:
                    columns[name].append(read(row[name]))
                except RefusedValue as refused:
                    _refuse(number, name, refused)
        return columns

    def _one(self, row: Row) -> npt.NDArray[np.float64]:
        if len(row) != self._width and len(row) != self._width + self._extra(row):
            raise _Mismatch
        cells: list[Any] = []
        add = cells.append
        for value, (codes, convert, quick, low, high) in zip(self._values(row), self._plan, strict=True):
            if codes is not None:
                # `codes` has only text and None as keys, and no other JSON value equals one of those.
                code = codes.get(value)
                add(convert(value) if code is None else code)
            else:
                kind = value.__class__
                add(value if (kind is quick or kind is int) and low <= value <= high else convert(value))
        return np.ndarray((1, self._width), np.float64, self._pack(*cells))

    def _many(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        width, extra = self._width, self._extra
        if any(len(row) != width and len(row) != width + extra(row) for row in rows):
            raise _Mismatch
        matrix = np.empty((len(rows), width))
        columns: Any = zip(*map(self._values, rows), strict=True)
        for place, (values, (codes, convert, quick, low, high)) in enumerate(
            zip(columns, self._plan, strict=True)
        ):
            if codes is not None:
                encoded = [codes.get(value) for value in values]
                if None in encoded:
                    encoded = [
                        convert(v) if code is None else code for v, code in zip(values, encoded, strict=True)
                    ]
                matrix[:, place] = encoded
            elif (
                low <= high
                and {quick, int}.issuperset(map(type, values))
                and low <= min(values) <= max(values) <= high
            ):
                # min and max let a NaN through now and then, so the sum has to be a number too.
                matrix[:, place] = values
                if not np.isfinite(matrix[:, place]).all():
                    raise _Mismatch
            else:
                matrix[:, place] = [convert(value) for value in values]
        return matrix

    def _extra(self, row: Row) -> int:
        """How many of the ignored fields a row has; all that go unread are plain values."""
        found = 0
        for name in self._ignored:
            if name in row:
                if isinstance(row[name], list | dict):
                    raise _Mismatch
                found += 1
        return found

    def _slowly(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        """Value by value: it finds the first place that is wrong and names it."""
        matrix = np.empty((len(rows), self._width))
        for number, row in enumerate(rows):
            self._check_fields(number, row)
            for place, (field, (_, convert, *_rest)) in enumerate(zip(self.inputs, self._plan, strict=True)):
                try:
                    matrix[number, place] = convert(row[field.name])
                except RefusedValue as refused:
                    _refuse(number, field.name, refused)
        return matrix

    def _check_fields(self, number: int, row: object) -> None:
        if not isinstance(row, Mapping):
            raise InvalidInput(
                f"row {number} is no JSON object",
                cure=f"send an object with the fields {_listed(self._names)}",
                where={"row": number},
            )
        for name, value in row.items():
            if name in self._ignored and not isinstance(value, list | dict):
                continue
            if name in self._ignored:
                raise InvalidInput(
                    f"row {number}: field {name!r} is {describe(value)}, not a plain value",
                    cure="send a text or a number",
                    where={"row": number, "field": name},
                )
            if name not in self._names:
                raise InvalidInput(
                    f"row {number}: there is no field {_short(name)}",
                    cure=self._instead(str(name), row),
                    where={"row": number, "field": str(name)[:100]},
                )
        for name in self._names:
            if name not in row:
                raise InvalidInput(
                    f"row {number}: the field {name!r} is absent",
                    cure="send it, as null if its value is unknown",
                    where={"row": number, "field": name},
                )

    def _instead(self, name: str, row: Row) -> str:
        """What to do about a field that is not known: what it may have been meant for is not in the row yet."""
        from difflib import get_close_matches

        further = sorted(self._ignored)
        open_names = {known.lower(): known for known in (*further, *self._names) if known not in row}
        near = get_close_matches(name[:100].lower(), open_names, 1, 0.6)
        if near:
            return f"did you mean {open_names[near[0]]!r}?"
        also = f"; {_listed(further)} may be sent, too" if further else ""
        return f"leave it out; the fields are {_listed(self._names)}{also}"


class _Mismatch(Exception):
    """The fast path met something out of the ordinary."""


_Plan = tuple[dict[str | None, float] | None, Number, type | None, float, float]


def plan_of(field: InputField) -> _Plan:
    """How the fast path reads a field: codes of texts, the careful reader, and what it may take as it stands."""
    if field.kind not in NUMERIC_KINDS:
        codes = codes_of(field)
        if field.required:
            # Left to the careful reader, which refuses them.
            codes = {word: code for word, code in codes.items() if word is not None and word not in field.missing}
        return codes, _code_reader(field), None, 0.0, 0.0
    reader = number_reader(field)
    if field.kind is Kind.NUMBER:
        return None, reader, float, -sys.float_info.max, sys.float_info.max
    if field.kind is Kind.INTEGER:
        return None, reader, int, -GREATEST_INTEGER, GREATEST_INTEGER - 1
    return None, reader, None, 1.0, 0.0  # an empty range: always the careful reader


def _code_reader(field: InputField) -> Number:
    read = text_reader(field)
    codes = codes_of(field)
    unknown = unknown_code(field)

    def convert(value: object) -> float:
        return codes.get(read(value), unknown)

    return convert


def _values_getter(names: tuple[str, ...]) -> Any:
    """A function of a row that gives its values in the order of the names, as a tuple."""
    if len(names) == 1:
        only = names[0]
        return lambda row: (row[only],)
    return itemgetter(*names)


def _refuse(number: int, name: str, refused: RefusedValue) -> NoReturn:
    raise InvalidInput(
        f"row {number}: field {name!r} {refused.problem}",
        cure=refused.cure,
        where={"row": number, "field": name},
    ) from None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def _short(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
