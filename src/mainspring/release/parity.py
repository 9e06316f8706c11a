"""Is the compiled model equal to the original? Asked on every row that could tell, and never believed otherwise.

The rows: those given (golden requests and holdout), further ones mixed from them up to 5,000, and copies of them
with a value missing, unknown, extreme, or right beside a split. Equal means that each output differs by at most
`tolerance · max(1, |original|)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from mainspring.data.estimator_frame import estimator_frame
from mainspring.errors import MainspringError
from mainspring.release.compile.compiler import Compiled
from mainspring.release.parity_rows import Rows, every_kind_of_row
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.runtimes.tabled import for_many_rows
from mainspring.release.wire import to_wire

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-9
MINIMUM_ROWS = 5_000
_TOGETHER = 20_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parity:
    """What the comparison found.

    Attributes:
        holds: every row agreed.
        max_difference: the greatest |original - compiled| / max(1, |original|); infinite if one is no number.
        rows: how many rows were compared.
        refused: how many made-up rows the original refused (an extreme value, most often); they are not compared.
        worst: the row of the greatest difference, as a wire row; None where nothing was compared.
        reason: in words, for the release's manifest and for the terminal.
    """

    holds: bool
    max_difference: float
    rows: int
    refused: int
    worst: dict[str, Any] | None
    reason: str


def compare(
    original: Callable[[pd.DataFrame], Floats],
    compiled: Compiled,
    rows: pl.DataFrame,
    *,
    tolerance: float = TOLERANCE,
    minimum_rows: int = MINIMUM_ROWS,
    seed: int = 0,
) -> Parity:
    """Compare the original with the compiled model. Never raises: what cannot be compared does not hold.

    Args:
        original: the outputs `[n, k]` of the original for an estimator's frame; raises for rows that it refuses.
        compiled: what `compile_estimator` gave.
        rows: typed rows: every golden request and every holdout row.
        minimum_rows: so many rows are made at least, by mixing the values of the given ones.
        seed: which rows are mixed and changed.
    """
    try:
        return _compare(original, compiled, rows, tolerance, minimum_rows, seed)
    except Exception as error:  # whatever goes wrong, the compiled model is not shown to be equal
        found = error.message if isinstance(error, MainspringError) else f"{type(error).__name__}: {error}"
        return Parity(False, float("inf"), 0, 0, None, f"the comparison with the original failed: {found[:300]}")


def _compare(
    original: Callable[[pd.DataFrame], Floats],
    compiled: Compiled,
    rows: pl.DataFrame,
    tolerance: float,
    minimum_rows: int,
    seed: int,
) -> Parity:
    if not rows.height:
        return Parity(False, float("inf"), 0, 0, None, "there are no rows to compare the compiled model on")
    runtime = OnnxRuntime(compiled.model, compiled.fields)
    many = for_many_rows(runtime, compiled.model, compiled.fields)
    greatest, compared, refused = 0.0, 0, 0
    worst: dict[str, Any] | None = None
    worst_kind = ""
    for group in _groups(every_kind_of_row(compiled, rows, minimum_rows, seed)):
        for part in _taken(original, compiled, group):
            refused += part.refused
            if part.wanted is None:
                continue
            found = runtime.predict_frame(part.frame)
            if not np.array_equal(found, many.predict_frame(part.frame), equal_nan=True):
                return Parity(False, float("inf"), compared, refused, None, "many rows at once get other answers")
            differences = _differences(part.wanted, found)
            compared += part.frame.height
            place = int(differences.argmax())
            if worst is None or differences[place] > greatest:
                greatest = float(differences[place])
                worst, worst_kind = to_wire(part.frame[place], compiled.fields)[0], part.kind_of(place)
    if not compared:
        return Parity(False, float("inf"), 0, refused, None, "the original refused every row")
    if greatest <= tolerance:
        reason = f"compiled: {compared:,} rows agree within {tolerance:g}"
        return Parity(True, greatest, compared, refused, worst, reason)
    reason = f"the compiled model differs from the original by {greatest:.3g} on a row {worst_kind}"
    return Parity(False, greatest, compared, refused, worst, reason)


def _differences(wanted: Floats, found: Floats) -> Floats:
    """By row, the greatest |wanted - found| / max(1, |wanted|); infinite where either is no finite number."""
    if wanted.shape != found.shape:
        raise ValueError(f"the original gives an array of shape {wanted.shape}, the compiled model {found.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.abs(wanted - found) / np.maximum(1.0, np.abs(wanted))
    relative[~np.isfinite(relative)] = np.inf
    greatest: Floats = relative.max(axis=1)
    return greatest


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that were put to the original together, and its answer; none if it refused them."""

    kinds: list[Rows]
    frame: pl.DataFrame
    wanted: Floats | None

    @property
    def refused(self) -> int:
        return self.frame.height if self.wanted is None else 0

    def kind_of(self, place: int) -> str:
        for rows in self.kinds:
            if place < rows.frame.height:
                return rows.name
            place -= rows.frame.height
        raise IndexError(place)


def _taken(original: Callable[[pd.DataFrame], Floats], compiled: Compiled, group: list[Rows]) -> Iterator[_Part]:
    """All rows of the group at once, since asking costs; where the original refuses, each kind by itself."""
    frame = pl.concat([rows.frame for rows in group])
    try:
        yield _Part(group, frame, original(estimator_frame(frame, compiled.fields)))
    except Exception:
        if len(group) > 1:
            for rows in group:
                yield from _taken(original, compiled, [rows])
        elif group[0].may_be_refused:
            yield _Part(group, frame, None)
        else:
            raise


def _groups(kinds: Iterator[Rows]) -> Iterator[list[Rows]]:
    """About 20,000 rows at a time, so that memory stays flat."""
    group: list[Rows] = []
    waiting = 0
    for rows in kinds:
        for start in range(0, rows.frame.height, _TOGETHER):
            part = replace(rows, frame=rows.frame.slice(start, _TOGETHER))
            if group and waiting + part.frame.height > _TOGETHER:
                yield group
                group, waiting = [], 0
            group.append(part)
            waiting += part.frame.height
    if group:
        yield group
