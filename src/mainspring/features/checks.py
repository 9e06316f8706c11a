"""What a view promises about its rows: the checks that its user wrote, and its source's schema."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from mainspring.domain.feature_view import BatchFunction
from mainspring.errors import FeatureError, ValidationFailed
from mainspring.features.functions import check_length, run, series_of


def check_piece(view: str, check: BatchFunction, rows: pl.DataFrame, first: int) -> tuple[int, int | None]:
    """How many rows a check says are wrong, and the number of the first of them. Where it does not say (missing),
    a row is not wrong.

    Args:
        first: the number of the first row.

    Raises:
        FeatureError: the check raised, or gave something else than a boolean for each row.
    """
    name = check.__name__
    found = series_of(view, name, run(view, check, rows), rows)
    check_length(view, name, found, rows.height)
    if found.dtype not in (pl.Boolean, pl.Null):
        raise FeatureError(
            f"the check {name!r} of the view {view!r} gave values of type {found.dtype}",
            cure="give a boolean for each row, true where it is right",
            where={"view": view, "function": name},
        )
    wrong = ~found.cast(pl.Boolean).fill_null(value=True)
    places = wrong.arg_true()
    return places.len(), first + int(places[0]) if places.len() else None


def check_rows(view: str, check: BatchFunction, pieces: Iterator[tuple[int, pl.DataFrame]]) -> None:
    """Raises `ValidationFailed` where a check says of a row that it is wrong, and `FeatureError` as `check_piece`.

    Args:
        pieces: the rows in pieces, with the number of the first of each.
    """
    count, example = 0, None
    for first, rows in pieces:
        wrong, place = check_piece(view, check, rows, first)
        count += wrong
        example = place if example is None else example
    if example is not None:
        raise ValidationFailed(
            f"{count:,} rows of the view {view!r} fail its check {check.__name__!r}, first row {example + 1:,}",
            cure="mend the rows in the source, or the check",
            where={"view": view, "check": check.__name__, "row": example + 1},
        )
