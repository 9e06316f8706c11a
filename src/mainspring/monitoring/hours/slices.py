"""The slices of which hourly sketches are made: few, and the same in every hour."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import msgspec
import polars as pl

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind

MISSING, OTHER = "(missing)", "(other)"
MOST = 100
"""Of the slices of a combination of columns, the most frequent of an hour; more would cost more than they tell."""


def slice_text(values: Mapping[str, str]) -> str:
    """A slice as the table of sketches has it: JSON, its columns in ascending order.

    Examples:
        >>> slice_text({"device": "phone", "city": "Ulm"})
        '{"city":"Ulm","device":"phone"}'
    """
    return msgspec.json.encode(dict(sorted(values.items()))).decode()


def slice_texts(rows: pl.DataFrame, columns: Mapping[str, tuple[str, InputField]]) -> pl.Series:
    """The slice of each row [n] by the values of these inputs, `(other)` for all of a rare combination.

    A slice must be the same one in every hour, so what the values are is the release's to say: a category that
    training did not have is `(other)`, a number is cut at the quarters of its range in training, a time is a
    slice by its month.

    Args:
        columns: by the input's name the column that has it, and its field; in ascending order of the names.

    Examples:
        >>> field = InputField("device", Kind.CATEGORY, categories=("phone", "tv"))
        >>> rows = pl.DataFrame({"input_device": ["tv", "fridge", None]})
        >>> for text in slice_texts(rows, {"device": ("input_device", field)}):
        ...     print(text)
        {"device":"tv"}
        {"device":"(other)"}
        {"device":"(missing)"}
    """
    # By number, since a name such as ^a$ would be a pattern.
    numbers = {f"__{place}": name for place, name in enumerate(columns)}
    values = rows.select(_value(*columns[name]).alias(number) for number, name in numbers.items())
    counts = values.group_by(*numbers).len("__rows")
    order = counts.sort("__rows", *numbers, descending=[True] + [False] * len(numbers))
    kept = order.drop("__rows").head(MOST)
    texts = [slice_text(dict(zip(columns, row, strict=True))) for row in kept.iter_rows()]
    named = kept.with_columns(pl.Series("__slice", texts, dtype=pl.String))
    found = values.join(named, on=list(numbers), how="left", maintain_order="left")
    return found.get_column("__slice").fill_null(slice_text(dict.fromkeys(columns, OTHER)))


def _value(column: str, field: InputField) -> pl.Expr:
    value = pl.col(column)
    if field.kind is Kind.TIME:
        text = value.dt.strftime("%Y-%m")
    elif field.kind in (Kind.NUMBER, Kind.INTEGER):
        text = _quarter(value.cast(pl.Float64).fill_nan(None), field)
    else:
        text = value.cast(pl.String)
        known = field.vocabulary or field.categories
        if known is not None:
            text = pl.when(text.is_in(list(known)) | text.is_null()).then(text).otherwise(pl.lit(OTHER))
    return text.fill_null(MISSING)


def _quarter(value: pl.Expr, field: InputField) -> pl.Expr:
    low, high = field.minimum, field.maximum
    if low is None or high is None or not low < high:
        return pl.when(value.is_not_null()).then(pl.lit(OTHER))
    edges = [low + (high - low) * share for share in (0.25, 0.5, 0.75)]
    names = [f"< {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)), f"≥ {edges[-1]:g}"]
    found: pl.Expr = pl.when(value.is_not_null()).then(pl.lit(names[-1]))
    for edge, name in zip(reversed(edges), reversed(names[:-1]), strict=True):
        found = pl.when(value < edge).then(pl.lit(name)).otherwise(found)
    return found
