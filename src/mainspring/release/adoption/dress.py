"""The frame in which an adopted model is asked: the estimator's, its columns of the maker's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.domain.schema import Column, Kind
from mainspring.errors import CandidateError

if TYPE_CHECKING:
    import pandas as pd

# Words for what becomes of a column. With missing values it is what pandas makes of it: whole numbers stay
# doubles, truth values become objects.
AS_IT_IS, CATEGORY, TIME = "as it is", "category", "datetime64[ns]"

_NATURAL = {Kind.INTEGER: "int64", Kind.BOOLEAN: "bool", Kind.TIME: TIME}
_EARLIEST, _LATEST = -9_223_372_036.0, 9_223_372_036.0  # seconds that fit into nanoseconds


def plain(columns: Mapping[str, Column]) -> dict[str, str]:
    """The estimator's frame as it is."""
    return dict.fromkeys(columns, AS_IT_IS)


def natural(columns: Mapping[str, Column]) -> dict[str, str]:
    """As pandas itself reads a table."""
    return {name: _NATURAL.get(column.kind, AS_IT_IS) for name, column in columns.items()}


def categorical(columns: Mapping[str, Column]) -> dict[str, str]:
    """As `natural`, texts being pandas categories."""
    texts = (Kind.CATEGORY, Kind.ID, Kind.TEXT)
    return {n: CATEGORY if columns[n].kind in texts else word for n, word in natural(columns).items()}


def dressed(frame: pd.DataFrame, words: Mapping[str, str]) -> pd.DataFrame:
    """A new frame of these columns, each of its type.

    Raises:
        CandidateError: a value does not fit into the type, which the model's maker never saw either.

    Examples:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [31.0, 17.0], "new": [1.0, np.nan]})
        >>> made = dressed(frame, {"new": "bool", "age": "int64"})
        >>> made["age"].tolist(), made["new"].tolist(), list(made)
        ([31, 17], [True, nan], ['new', 'age'])
    """
    import pandas as pd

    made = {name: _dressed(frame[name], word, name) for name, word in words.items()}
    return pd.DataFrame(made, index=frame.index)


def _dressed(series: pd.Series[Any], word: str, name: str) -> pd.Series[Any]:
    import pandas as pd

    if word == AS_IT_IS or (word != CATEGORY and series.dtype == object):
        return series
    if word == CATEGORY:
        return series.astype("category")
    values = series.to_numpy(dtype=np.float64)
    absent = np.isnan(values)
    if word == TIME:
        _expect((values[~absent] > _EARLIEST) & (values[~absent] < _LATEST), name, "a time")
        whole = np.zeros(len(values), dtype="datetime64[ns]")
        whole[~absent] = (np.round(values[~absent] * 1e6).astype(np.int64) * 1000).astype("datetime64[ns]")
        whole[absent] = np.datetime64("NaT")
        return pd.Series(whole, index=series.index)
    if word == "bool":
        if not absent.any():
            return series.astype(bool)
        truth = np.empty(len(values), dtype=object)
        truth[:] = [np.nan if gone else bool(value) for value, gone in zip(values, absent, strict=True)]
        return pd.Series(truth, index=series.index, dtype=object)
    dtype = np.dtype(word)
    if dtype.kind in "iu":
        if absent.any():
            return series
        limits = np.iinfo(dtype)
        # 2⁶³ as a double is one too many: the greatest of int64 is no double.
        _expect((values >= limits.min) & (values < float(limits.max)), name, f"an {dtype}")
    with np.errstate(over="ignore"):
        return series.astype(dtype)


def _expect(fits: Any, name: str, what: str) -> None:
    if not fits.all():
        raise CandidateError(
            f"a value of {name!r} does not fit into {what}, as the model takes it", cure="send a smaller value"
        )
