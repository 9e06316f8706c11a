"""Frames of pandas as frames of Polars."""

from __future__ import annotations

from typing import Any

import polars as pl


def from_pandas(frame: Any) -> pl.DataFrame:
    """The columns of a pandas frame, without its index. Times with a zone become times without one, in UTC.

    Examples:
        >>> import pandas as pd
        >>> at = pd.to_datetime(["2026-03-01T12:00:00+02:00"])
        >>> from_pandas(pd.DataFrame({"at": at, "n": [1]})).row(0)
        (datetime.datetime(2026, 3, 1, 10, 0), 1)
    """
    plain = frame.copy(deep=False)
    for name, dtype in frame.dtypes.items():
        # Pandas 4 will give such values as something else, and 3 warns of it where Polars asks for them.
        if getattr(dtype, "tz", None) is not None:
            plain[name] = frame[name].dt.tz_convert(None)
    found: pl.DataFrame = pl.from_pandas(plain)
    return found
