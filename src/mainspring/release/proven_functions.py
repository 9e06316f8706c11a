"""Are the functions of `features.py` fit to be sealed: do they give the same for a row, whenever it is asked?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from mainspring.data.columns import values_of
from mainspring.domain.release import FEATURES, FunctionInput, InputField
from mainspring.errors import FeatureError
from mainspring.features.request_time import Floats, RequestFunctions
from mainspring.features.request_time_frames import outputs_of_rows
from mainspring.release.computed import Computed

_ALONE = 200  # rows that are asked again, one by one
_TOLERANCE = 1e-9  # as of compiled models: a vector instruction may round otherwise than one number alone


def proven_functions(
    source: bytes | None,
    functions: Sequence[FunctionInput],
    fields: Sequence[InputField],
    taken: int,
    frames: Sequence[pl.DataFrame],
) -> Computed | None:
    """What the functions make of a release's inputs, `None` where it has no functions.

    Args:
        source: of `features.py`.
        fields, taken: as `Computed` has them.
        frames: typed rows of training and holdout; with what was computed of them then, where they hold it.

    Raises:
        FeatureError: the file does not run; a function fails, gives another answer for a row by itself (it looks
            at other rows), another one than in training (it draws random numbers, say), or does not know the file.
    """
    if not functions:
        return None
    if source is None:
        raise FeatureError(
            f"the model takes functions of {FEATURES}, and the code has no such file",
            cure=f"write them into {FEATURES} beside model.py",
            where={"file": FEATURES},
        )
    made = RequestFunctions(source, functions, fields)
    for rows in frames:
        found = outputs_of_rows(rows, made)
        for name in {*made.outputs}.intersection(rows.columns):
            before = values_of(rows, name).cast(pl.Float64).fill_null(float("nan")).to_numpy()
            if not _agree(before, found[name]):
                raise _unsteady(name, "gave another value in training than now", "leave chance and the clock out")
        _ask_alone(rows, made, found)
    return Computed(made, fields, taken)


def _ask_alone(rows: pl.DataFrame, functions: RequestFunctions, found: dict[str, Floats]) -> None:
    if not rows.height:
        return
    places = np.unique(np.linspace(0, rows.height - 1, _ALONE).round().astype(np.int64))
    for place in places.tolist():
        alone = outputs_of_rows(rows.slice(place, 1), functions)
        for name, values in alone.items():
            if not _agree(values, found[name][place : place + 1]):
                raise _unsteady(
                    name,
                    f"gives {values[0]:g} for a row by itself, and {found[name][place]:g} for it among others",
                    "make each row's value of that row alone: a request may have but one",
                )


def _agree(one: Floats, other: Floats) -> bool:
    return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True))


def _unsteady(output: str, problem: str, cure: str) -> FeatureError:
    return FeatureError(
        f"the function of {FEATURES} that makes {output!r} {problem}",
        cure=cure,
        where={"file": FEATURES, "feature": output},
    )
