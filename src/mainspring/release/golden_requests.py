"""Which requests become golden: real rows, and rows that stand where a runtime goes wrong first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import values_of
from mainspring.data.estimator_frame import estimator_frame_of_columns
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import CandidateError, FeatureError, InvalidInput
from mainspring.release.computed import Computed, encoder_of
from mainspring.release.encoding import Encoder
from mainspring.release.golden import FEWEST
from mainspring.release.wire import to_wire

if TYPE_CHECKING:
    import pandas as pd

Answers = Callable[["pd.DataFrame"], NDArray[np.float64]]
WireRow = dict[str, Any]

_THRESHOLDS = 12  # a field, each with both of its neighbours
_EXTREME_NUMBERS = (0.0, -0.0, 5e-324, 1e-35, 1e9, -1e9, 1e18, 1e300, -1e300)
_EXTREME_WHOLES = (0, 1, -1, 2**31, 2**53, -(2**53))
_EXTREME_TIMES = ("1900-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00", "2099-12-31T23:59:59.999999+14:00")
_ODD_TEXTS = ("never seen before", "", " ", "ünsëen ✓ 東京 🎈", "0", "None", "x" * 300)


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden requests: n wire rows, and the original's outputs [n, k]."""

    rows: list[WireRow]
    outputs: NDArray[np.float64]


def golden_requests(
    answers: Answers,
    real: pl.DataFrame,
    fields: Sequence[InputField],
    thresholds: Mapping[str, NDArray[np.float64]],
    computed: Computed | None = None,
) -> Golden:
    """At least 200 requests with the original's answers.

    Args:
        answers: the original's outputs [n, k] for an estimator's frame.
        real: typed rows, at least one; those of the holdout.
        fields: the inputs of the release.
        thresholds: numeric field → values at which some tree splits, where the estimator is one of trees.
        computed: what functions make of the inputs.

    Raises:
        CandidateError: the original refuses a real row.
        FeatureError: a function fails on one.
    """
    base = _spread(real, fields)
    asked = answers(frame_of(base, fields, computed))
    encoder = Encoder(fields)
    edges = [row for row in _edge_rows(base, real, fields, thresholds) if _is_taken(row, encoder)]
    rows, outputs = list(base), [asked]
    for row, answer in _answered(lambda some: answers(frame_of(some, fields, computed)), edges):
        rows.append(row)
        outputs.append(answer)
    return Golden(rows, np.concatenate(outputs))


def frame_of(
    rows: Sequence[Mapping[str, Any]], fields: Sequence[InputField], computed: Computed | None = None
) -> pd.DataFrame:
    """The estimator's frame of wire rows, by the same path that the native runtime takes.

    Args:
        fields: the inputs of the release.
        computed: what functions make of them.

    Raises:
        InvalidInput: a row that no gateway would take.
        FeatureError: a function fails on it.
    """
    taken = fields if computed is None else computed.model_fields
    return estimator_frame_of_columns(encoder_of(fields, (), computed).rows_to_columns(rows), taken)


def _spread(real: pl.DataFrame, fields: Sequence[InputField]) -> list[WireRow]:
    """200 rows, evenly from the first to the last; a small table's rows come several times."""
    places = np.linspace(0, real.height - 1, FEWEST).round().astype(np.int64)
    # As JSON carries them: what is asked here is what a client can send.
    sent: list[WireRow] = msgspec.json.decode(msgspec.json.encode(to_wire(real[places], fields)))
    return sent


def _edge_rows(
    base: Sequence[WireRow],
    real: pl.DataFrame,
    fields: Sequence[InputField],
    thresholds: Mapping[str, NDArray[np.float64]],
) -> Iterator[WireRow]:
    number = 0
    for field in fields:
        for value in _edge_values(field, values_of(real, field.name), thresholds.get(field.name)):
            yield {**base[number % len(base)], field.name: value}
            number += 1
    optional = [field.name for field in fields if not field.required]
    yield {**base[0], **dict.fromkeys(optional)}
    texts = [field.name for field in fields if field.kind in (Kind.CATEGORY, Kind.TEXT, Kind.ID, Kind.IMAGE)]
    yield {**base[0], **dict.fromkeys(texts, _ODD_TEXTS[0])}


def _edge_values(field: InputField, seen: pl.Series, splits: NDArray[np.float64] | None) -> Iterator[Any]:
    if not field.required:
        yield None
    if field.kind is Kind.BOOLEAN:
        yield from (True, False)
    elif field.kind is Kind.NUMBER:
        yield from _EXTREME_NUMBERS
        for value in (field.minimum, field.maximum, *_some(splits)):
            if value is not None:
                yield from (np.nextafter(value, -math.inf).item(), value, np.nextafter(value, math.inf).item())
    elif field.kind is Kind.INTEGER:
        yield from _EXTREME_WHOLES
        for value in (field.minimum, field.maximum, *_some(splits)):
            if value is not None:
                yield from (math.floor(value), math.floor(value) + 1)
    elif field.kind is Kind.TIME:
        yield from _EXTREME_TIMES
        for value in _some(splits):
            yield from _times_beside(value)
    else:
        yield from _ODD_TEXTS
        yield from seen.drop_nulls().cast(pl.String).unique().sort().head(20).to_list()


def _some(splits: NDArray[np.float64] | None) -> list[float]:
    if splits is None or not len(splits):
        return []
    places = np.unique(np.linspace(0, len(splits) - 1, _THRESHOLDS).round().astype(np.int64))
    return [float(value) for value in splits[places] if abs(value) < 1e300]


def _times_beside(seconds: float) -> Iterator[str]:
    """The last microsecond up to a split, and the next."""
    for microseconds in (math.floor(seconds * 1e6), math.floor(seconds * 1e6) + 1):
        if abs(microseconds) < 2**57:  # the years 1 to 9999 lie within
            yield from to_wire(
                pl.DataFrame({"t": pl.Series([microseconds]).cast(pl.Datetime("us", "UTC"))}),
                [InputField("t", Kind.TIME)],
            )[0].values()


def _is_taken(row: WireRow, encoder: Encoder) -> bool:
    try:
        encoder.rows_to_columns([row])
    except InvalidInput:
        return False
    return True


def _answered(
    answers: Callable[[Sequence[WireRow]], NDArray[np.float64]], rows: list[WireRow]
) -> Iterator[tuple[WireRow, NDArray[np.float64]]]:
    """The rows that the original answers: an extreme value may be too much for it, and no runtime is to blame."""
    try:
        outputs = answers(rows)
    except (CandidateError, FeatureError):
        if len(rows) > 1:  # halve, so that few refused rows cost few questions
            middle = len(rows) // 2
            yield from _answered(answers, rows[:middle])
            yield from _answered(answers, rows[middle:])
        return
    for number, row in enumerate(rows):
        yield row, outputs[number : number + 1]
