"""Tensors of the Open Inference Protocol, as JSON and in binary form ↔ values by row.

A tensor holds one feature, shape `[n]` or `[n, 1]`. In binary form it stands after the JSON, little-endian; BOOL
is one byte, an element of BYTES its length as a 32-bit number and then its UTF-8 text. Missing is NaN in FP16,
FP32 and FP64, an empty element in BYTES (unless the feature knows the empty text), and null in JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from mainspring.domain.release import InputField
from mainspring.errors import InvalidInput, MalformedRequest
from mainspring.serving.protocols.cells import plain_cells, text_cell

_NUMPY = {
    "BOOL": "u1",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
DATATYPES = (*_NUMPY, "BYTES")
_LENGTH = 4


class InputTensor(msgspec.Struct):
    """One of the request's `inputs`."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None

    @property
    def binary_size(self) -> int | None:
        """How many bytes after the JSON are its.

        Raises:
            MalformedRequest: no such number, or its data lie in shared memory.
        """
        parameters = self.parameters or {}
        if "shared_memory_region" in parameters:
            raise _wrong(self, "lies in shared memory", "send its data")
        size = parameters.get("binary_data_size")
        if size is None:
            return None
        if type(size) is not int or size < 0:
            raise _wrong(self, "has a binary_data_size that is no size", "send the number of its bytes")
        return size


def rows_in(tensors: Sequence[InputTensor]) -> int:
    """How many rows the tensors hold.

    Raises:
        MalformedRequest: no tensor, one of another shape than the others or than a column has, or two of a name.
    """
    if not tensors:
        raise MalformedRequest("there are no inputs", cure="send one tensor for each feature")
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise MalformedRequest("two inputs have the same name", cure="send one tensor for each feature")
    counts = set()
    for tensor in tensors:
        shape = tensor.shape
        if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or shape[0] < 0:
            raise _wrong(
                tensor, f"has the shape {str(shape)[:40]}", "send one feature a tensor, shape [n] or [n, 1]"
            )
        if tensor.datatype not in DATATYPES:
            raise _wrong(
                tensor, f"has the datatype {tensor.datatype[:20]!r}", f"use one of {', '.join(DATATYPES)}"
            )
        counts.add(shape[0])
    if len(counts) != 1:
        raise MalformedRequest(
            f"the inputs have different numbers of rows: {sorted(counts)[:5]}", cure="send one value for each row"
        )
    return counts.pop()


def column(tensor: InputTensor, field: InputField | None, binary: memoryview | None, count: int) -> list[Any]:
    """The values of a tensor, one for each row.

    Args:
        field: the feature of that name, if there is one.
        binary: its bytes, where it is in binary form.

    Raises:
        MalformedRequest: the data do not match shape or datatype.
    """
    if binary is None:
        return _of_json(tensor, field, count)
    if tensor.data is not None:
        raise _wrong(tensor, "has data in JSON and a binary_data_size", "send it in one form")
    if tensor.datatype == "BYTES":
        texts = _texts(tensor, binary, count)
        return [*map(text_cell(field), texts)] if field is not None else texts
    kind = np.dtype(_NUMPY[tensor.datatype])
    if len(binary) != count * kind.itemsize:
        raise _wrong(
            tensor,
            f"has {len(binary)} bytes, not {count * kind.itemsize}",
            "send as many as shape and datatype say",
        )
    values = np.frombuffer(binary, kind)
    if tensor.datatype == "BOOL":
        if values.size and values.max() > 1:
            raise _wrong(tensor, "has a byte that is neither 0 nor 1", "send BOOL as such bytes")
        values = values.astype(bool)
    return plain_cells(field, values.tolist())


def _of_json(tensor: InputTensor, field: InputField | None, count: int) -> list[Any]:
    data = tensor.data
    if data is None:
        raise _wrong(tensor, "has no data", "send `data`, or `binary_data_size` and the bytes after the JSON")
    if data and isinstance(data[0], list):
        if not all(isinstance(element, list) and len(element) == 1 for element in data):
            raise _wrong(tensor, "has data of another shape", "send one value for each row")
        data = [element[0] for element in data]
    if len(data) != count:
        raise _wrong(tensor, f"has {len(data)} values, not {count}", "send as many as its shape says")
    allowed = _JSON_TYPES.get(tensor.datatype, _FLOATS)
    for number, value in enumerate(data):
        if type(value) not in allowed:
            raise InvalidInput(
                f"row {number}: the value of input {tensor.name[:80]!r} is no {tensor.datatype}",
                cure="send values of the datatype that the tensor names, null for a missing one",
                where={"row": number, "field": tensor.name[:80]},
            )
    if tensor.datatype != "BYTES":
        return plain_cells(field, data)
    read = text_cell(field) if field is not None else str
    return [None if text is None else read(text) for text in data]


_NONE = type(None)
_FLOATS = frozenset({int, float, _NONE})
_INTEGERS = frozenset({int, _NONE})
_JSON_TYPES: dict[str, frozenset[type]] = {
    "BOOL": frozenset({bool, _NONE}),
    "BYTES": frozenset({str, _NONE}),
    **{name: _INTEGERS for name in _NUMPY if "INT" in name},
}


def _texts(tensor: InputTensor, binary: memoryview, count: int) -> list[str]:
    texts = []
    place, end = 0, len(binary)
    for number in range(count):
        start = place + _LENGTH
        stop = start + int.from_bytes(binary[place:start], "little")
        if stop > end or start > end:
            raise _wrong(tensor, f"ends within element {number}", "send 4 bytes of length, then the text")
        try:
            texts.append(str(binary[start:stop], "utf-8"))
        except UnicodeDecodeError:
            raise _wrong(tensor, f"has an element {number} that is no UTF-8", "encode texts as UTF-8") from None
        place = stop
    if place != end:
        raise _wrong(tensor, f"has bytes after its {count} elements", "send as many as its shape says")
    return texts


def _wrong(tensor: InputTensor, problem: str, cure: str) -> MalformedRequest:
    name = tensor.name[:80]
    return MalformedRequest(f"the input {name!r} {problem}", cure=cure, where={"field": name})


def texts_in_binary(texts: Sequence[str]) -> bytes:
    """A tensor of BYTES in binary form.

    Examples:
        >>> texts_in_binary(["no"])
        b'\\x02\\x00\\x00\\x00no'
    """
    parts: list[bytes] = []
    for text in texts:
        encoded = text.encode()
        parts += (len(encoded).to_bytes(_LENGTH, "little"), encoded)
    return b"".join(parts)


def output_encoder(datatype: str) -> Callable[[Sequence[Any]], bytes]:
    """How an output of this datatype, `BYTES` or `FP64`, is put into binary form."""
    return texts_in_binary if datatype == "BYTES" else lambda values: np.array(values, "<f8").tobytes()
