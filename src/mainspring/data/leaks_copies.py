"""The same rows on both sides of the holdout: a model is judged on what it has learnt by heart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.oddities import is_rich
from mainspring.data.showing import SHOWN, row_numbers
from mainspring.domain.finding import Finding
from mainspring.domain.schema import Severity

_BAR = 0.02  # what tables without a key have by nature stays below it (0.5 % where it was found at all)
_FEWEST_ROWS = 5


def copies_across_holdout(
    rows: pl.DataFrame, features: Sequence[str], target: str, holdout: NDArray[np.bool_]
) -> Iterable[Finding]:
    """Count the holdout rows whose features and target, all of them, are those of a row that is trained on.

    A table of so few different values that equal rows come by chance has none to speak of.

    Args:
        rows: typed rows [n].
        holdout: bool [n].
    """
    names = list(dict.fromkeys([*features, target]))
    compared = pl.DataFrame({f"c{place}": rows.get_column(name) for place, name in enumerate(names)})
    held = int(holdout.sum())
    if not held or held == rows.height or compared.width < 2 or not is_rich(compared):
        return
    hashes = compared.hash_rows().to_numpy()
    copied = holdout & np.isin(hashes, hashes[~holdout])
    count = int(copied.sum())
    if count < _FEWEST_ROWS or count <= _BAR * held:
        return
    yield Finding(
        code="rows-in-both",
        severity=Severity.WARNING,
        rows=count,
        message=f"{count:,} of {held:,} holdout rows ({count / held:.1%}) have the very features and target of "
        f"a row that is trained on (bar {_BAR:.0%})",
        cure="drop the copies, or name a key so that all rows of one key are on one side",
        examples=tuple({"row": row} for row in row_numbers(rows).filter(pl.Series(copied)).head(SHOWN)),
    )
