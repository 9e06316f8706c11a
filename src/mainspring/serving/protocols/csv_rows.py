"""A CSV body → rows: a header with the features' names, then a line for each row, as pandas' `to_csv` writes."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.domain.release import InputField
from mainspring.errors import InvalidInput, MalformedRequest
from mainspring.serving.protocols.cells import text_cell


def rows_of_csv(
    body: bytes, inputs: Sequence[InputField], check_count: Callable[[int], object]
) -> list[dict[str, Any]]:
    """The rows of a CSV. An empty cell is a missing value; a first column without a name (an index) is dropped.

    Args:
        check_count: told the number of rows so far; raises where there are too many.

    Raises:
        MalformedRequest: no CSV, no header, or a header that names a column twice.
        InvalidInput: a line with more or fewer cells than the header.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> rows_of_csv(b",age\\n0,31\\n1,\\n", [InputField("age", Kind.NUMBER)], bool)
        [{'age': 31}, {'age': None}]
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedRequest("the body is not UTF-8", cure="encode it as UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, [])
        skipped = 1 if header[:1] == [""] and len(header) > 1 else 0
        names = header[skipped:]
        if not any(names) or len(set(names)) != len(names):
            raise MalformedRequest(
                "the CSV's first line is no header with each feature once", cure="send the features' names first"
            )
        fields = {field.name: field for field in inputs}
        readers = [(name, text_cell(fields[name]) if name in fields else str) for name in names]
        rows: list[dict[str, Any]] = []
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise InvalidInput(
                    f"row {len(rows)} has {len(cells)} cells, and the header {len(header)}",
                    cure="put quotes around cells with commas",
                    where={"row": len(rows)},
                )
            rows.append({name: read(cell) for (name, read), cell in zip(readers, cells[skipped:], strict=True)})
            check_count(len(rows))
    except csv.Error as error:
        raise MalformedRequest(f"the body is no CSV: {error}", cure="send what pandas' to_csv writes") from None
    return rows
