"""What a foreign model answers → the outputs of a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import CandidateError

_CURE = "let the model answer one number, one label, or one probability per class for each row"


class Reading(StrEnum):
    """What the answer to a row is."""

    VALUE = "value"  # of a regression
    PROBABILITIES = "probabilities"  # one a class
    POSITIVE = "positive"  # the probability of the positive class alone
    LABELS = "labels"  # the label alone: its class gets 1, the others 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answers to n rows as a matrix [n, m] of numbers or labels.

    Attributes:
        names: of the m columns, where the model tells them.
    """

    values: NDArray[Any]
    names: tuple[str, ...] | None = None

    @property
    def is_numeric(self) -> bool:
        return self.values.dtype.kind in "fiu"


def label_text(value: object) -> str:
    """A class as a text, as the release names it.

    Examples:
        >>> label_text(np.float64(1.0)), label_text(True), label_text(np.str_("yes"))
        ('1', 'true', 'yes')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def answer_of(raw: Any, rows: int) -> Answer:
    """Whatever a model answered to `rows` rows, as one matrix.

    Raises:
        CandidateError: it is nothing of one line a row.

    Examples:
        >>> answer_of([{"no": 0.25, "yes": 0.75}], 1)
        Answer(values=array([[0.25, 0.75]]), names=('no', 'yes'))
    """
    names: tuple[str, ...] | None = None
    if isinstance(raw, dict) and len(raw) == 1:
        raw = next(iter(raw.values()))
    if isinstance(raw, dict):
        names, raw = tuple(map(label_text, raw)), list(zip(*raw.values(), strict=True))
    elif isinstance(raw, list) and raw and isinstance(raw[0], dict):
        keys = list(raw[0])
        names, raw = tuple(map(label_text, keys)), [[row.get(key) for key in keys] for row in raw]
    elif hasattr(raw, "columns"):  # a data frame of any make
        names = tuple(map(label_text, raw.columns))
    if hasattr(raw, "toarray"):
        raw = raw.toarray()
    try:
        values = np.asarray(raw)
    except (ValueError, TypeError) as error:
        raise CandidateError(f"the model answers {type(raw).__name__}, no table of rows", cure=_CURE) from error
    if values.dtype == object:
        values = _typed(values)
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2 or len(values) != rows or not values.shape[1]:
        raise CandidateError(
            f"the model answers {rows} rows with an array of shape {list(values.shape)}", cure=_CURE
        )
    return Answer(values, names if names is not None and len(names) == values.shape[1] else None)


def outputs_of_answer(
    answer: Answer, reading: Reading, labels: Sequence[str], positive: int | None
) -> NDArray[np.float64]:
    """The outputs [n, k], or [n, 1] of a regression.

    Raises:
        CandidateError: the answers are not of this reading.
    """
    values = answer.values
    if reading is Reading.LABELS:
        return _one_hot(values, labels)
    if not answer.is_numeric:
        raise CandidateError(f"the model answers {values.dtype}, no numbers", cure=_CURE)
    numbers = values.astype(np.float64)
    wanted = len(labels) if reading is Reading.PROBABILITIES else 1
    if numbers.shape[1] != wanted:
        raise CandidateError(f"the model answers {numbers.shape[1]} numbers a row, not {wanted}", cure=_CURE)
    if reading is Reading.POSITIVE:
        assert positive is not None
        return np.column_stack([1.0 - numbers, numbers] if positive == 1 else [numbers, 1.0 - numbers])
    if reading is Reading.PROBABILITIES and answer.names is not None and set(answer.names) == set(labels):
        numbers = numbers[:, [answer.names.index(label) for label in labels]]
    return numbers


def _one_hot(values: NDArray[Any], labels: Sequence[str]) -> NDArray[np.float64]:
    if values.shape[1] != 1:
        raise CandidateError(f"the model answers {values.shape[1]} values a row, not one label", cure=_CURE)
    place = {label: number for number, label in enumerate(labels)}
    outputs = np.zeros((len(values), len(labels)))
    for row, value in enumerate(values[:, 0].tolist()):
        label = label_text(value)
        if label not in place:
            raise CandidateError(
                f"the model answers {label[:60]!r}, which is none of its classes {', '.join(labels[:10])}",
                cure="name all of its classes with --classes",
                where={"row": row},
            )
        outputs[row, place[label]] = 1.0
    return outputs


def _typed(values: NDArray[Any]) -> NDArray[Any]:
    """Objects that are numbers one and all become numbers; a missing answer stays one."""
    flat = values.ravel().tolist()
    if all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in flat):
        return values.astype(np.float64)
    return values
