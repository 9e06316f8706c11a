"""Frames of answers → typed rows of a model's prediction log. Runs in the drainer, never in a gateway worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.domain.feedback import RefusedField, key_of
from mainspring.domain.input_columns import input_columns
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.request_values import RefusedValue
from mainspring.errors import MainspringError
from mainspring.release.encoding_cells import number_reader, text_reader
from mainspring.serving.prediction_frames import DamagedFrame, Description, Prediction, read_prediction
from mainspring.serving.protocols.body import decode_json, rows_of

_ARROW: dict[str, Any] = {
    "date32": pa.date32(),
    "string": pa.string(),
    "int32": pa.int32(),
    "timestamp[us, UTC]": pa.timestamp("us", tz="UTC"),
    "double": pa.float64(),
    "list<double>": pa.list_(pa.float64()),
    # and in the words of `Tables.columns`
    "long": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_DAY = 86_400_000_000  # microseconds
_LONGEST = 2**31 - 1


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a table's columns, such as `PREDICTION_COLUMNS` or `LABEL_COLUMNS`."""
    return pa.schema([pa.field(name, _ARROW[kind]) for name, kind in columns.items()])


@dataclass(slots=True)
class _Answer:
    """A frame whose rows were read."""

    said: Prediction
    rows: list[Mapping[str, Any]]


def prediction_rows(
    frames: Sequence[tuple[bytes, Description]], present: Mapping[str, str]
) -> tuple[pa.Table, int]:
    """The rows that these answers of one model are, and how many frames made no sense.

    Args:
        frames: each with the description of the release that answered.
        present: the columns that the table has, and their kinds.
    """
    by_release: dict[int, tuple[Description, list[_Answer]]] = {}
    damaged = 0
    for frame, description in frames:
        try:
            answer = _read(frame, description)
        except DamagedFrame:
            damaged += 1
            continue
        by_release.setdefault(description.number, (description, []))[1].append(answer)
    columns, tables = dict(present), []
    for _, (description, answers) in sorted(by_release.items()):
        names = input_columns(columns, description.inputs)
        columns |= dict(names.values())
        tables.append(_table(description, answers, names))
    whole = arrow_schema(PREDICTION_COLUMNS).empty_table()
    return pa.concat_tables([whole, *tables], promote_options="default"), damaged


def _read(frame: bytes, description: Description) -> _Answer:
    said = read_prediction(frame)
    width = len(description.output.classes) or 1
    try:
        rows = rows_of(decode_json(said.rows))
    except MainspringError as error:
        raise DamagedFrame(str(error)) from error
    if len(rows) != said.count or said.width != width or not all(isinstance(row, dict) for row in rows):
        raise DamagedFrame("an answer has other rows than outputs")
    return _Answer(said, rows)


def _table(description: Description, answers: Sequence[_Answer], names: Mapping[str, tuple[str, str]]) -> pa.Table:
    counts = np.array([answer.said.count for answer in answers])
    rows = [row for answer in answers for row in answer.rows]
    spec = description.output
    outputs = np.frombuffer(b"".join(answer.said.outputs for answer in answers), "<f8")
    outputs = outputs.reshape(len(rows), -1)

    def repeated(values: Any, kind: str) -> pa.Array:
        return pa.array(values, _ARROW[kind]).take(pa.array(np.repeat(np.arange(len(answers)), counts)))

    at = np.array([answer.said.at for answer in answers], dtype=np.int64)
    numbers = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    prediction, value = _decided(spec, outputs)
    columns: dict[str, Any] = {
        "day": repeated((at // _DAY).astype(np.int32), "date32"),
        "id": pa.array([f"{a.said.request_id}/{n}" for a in answers for n in range(a.said.count)], pa.string()),
        "request_id": repeated([answer.said.request_id for answer in answers], "string"),
        "row": pa.array(numbers),
        "at": repeated(at, "timestamp"),
        "release": pa.repeat(pa.scalar(description.number, pa.int32()), len(rows)),
        "role": repeated([str(answer.said.role) for answer in answers], "string"),
        "arm": repeated([answer.said.arm or None for answer in answers], "string"),
        "key": _whole(_keys(rows, description.key), "string", _text_or_none),
        "latency_us": repeated([min(answer.said.latency, _LONGEST) for answer in answers], "int32"),
        "prediction": prediction,
        "value": value,
        "outputs": pa.ListArray.from_arrays(
            pa.array(np.arange(len(rows) + 1, dtype=np.int32) * outputs.shape[1]), pa.array(outputs.ravel())
        ),
    }
    for field in description.inputs:
        if field.name in names:
            column, kind = names[field.name]
            columns[column] = _cells([row.get(field.name) for row in rows], field, kind)
    return pa.table(columns)


def _decided(spec: OutputSpec, outputs: Any) -> tuple[pa.Array, pa.Array]:
    """What `OutputSpec.decide_all` says, and the number that belongs to it; a column at a time."""
    classes = spec.classes
    if not classes:
        return pa.nulls(len(outputs), pa.string()), pa.array(outputs[:, 0])
    if spec.positive is not None and len(classes) == 2:
        place = classes.index(spec.positive)
        value = outputs[:, place]
        chosen = np.where(value >= spec.threshold, place, 1 - place)
    else:
        chosen = outputs.argmax(axis=1)
        value = outputs[np.arange(len(outputs)), chosen]
    return pa.array(classes, pa.string()).take(pa.array(chosen)), pa.array(np.ascontiguousarray(value))


def _keys(rows: Sequence[Mapping[str, Any]], key: str | None) -> list[str | None]:
    if key is None:
        return [None] * len(rows)
    found: list[str | None] = []
    for row in rows:
        try:
            found.append(key_of(row.get(key)))
        except RefusedField:
            found.append(None)
    return found


def _cells(values: list[Any], field: InputField, kind: str) -> pa.Array:
    """The values as the model read them; what needs no conversion goes over as a whole."""
    as_it_is = kind == "string" and not (field.missing or field.strip or field.numerals)
    if field.personal is not None or as_it_is:
        return _whole(values, kind, _text_or_none)
    if kind == "string":
        return _whole([_careful(text_reader(field), value) for value in values], kind, _text_or_none)
    if kind != "timestamp":
        try:
            return pa.array(values, _ARROW[kind])
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            pass  # a mixture of spellings: value by value
    return pa.array([_careful(_READERS[kind](field), value) for value in values], _ARROW[kind])


def _whole(values: list[Any], kind: str, convert: Callable[[Any], Any]) -> pa.Array:
    try:
        return pa.array(values, _ARROW[kind])
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([convert(value) for value in values], _ARROW[kind])


def _text_or_none(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode()


def _careful(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except RefusedValue:
        return None  # the release took it, by rules that this version has no more


def _number(field: InputField) -> Callable[[Any], float | None]:
    read = number_reader(field)

    def convert(value: Any) -> float | None:
        number = read(value)
        return None if number != number else number

    return convert


def _integer(field: InputField) -> Callable[[Any], int | None]:
    read = number_reader(field)

    def convert(value: Any) -> int | None:
        number = read(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value  # a float would lose digits
        return None if number != number else int(number)

    return convert


def _boolean(field: InputField) -> Callable[[Any], bool | None]:
    read = number_reader(field)

    def convert(value: Any) -> bool | None:
        number = read(value)
        return None if number != number else number == 1.0

    return convert


def _time(field: InputField) -> Callable[[Any], int | None]:
    read = number_reader(field)

    def convert(value: Any) -> int | None:
        seconds = read(value)
        return None if seconds != seconds else round(seconds * 1e6)

    return convert


_READERS: dict[str, Callable[[InputField], Callable[[Any], Any]]] = {
    "double": _number,
    "long": _integer,
    "boolean": _boolean,
    "timestamp": _time,
}
