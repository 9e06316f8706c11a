"""The profile of typed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind
from mainspring.stats.profile import ColumnProfile, Profile

_PIECE = 131_072  # rows that are sketched at a time


def profile_of(rows: pl.DataFrame, fields: Sequence[Column | InputField], *, seed: int = 0) -> Profile:
    """Sketch these columns of the rows; more rows are added with `add_rows`.

    Examples:
        >>> profile = profile_of(pl.DataFrame({"job": ["cook", None, "cook"]}), [Column("job", Kind.CATEGORY)])
        >>> profile.columns["job"].frequencies.counts, profile.columns["job"].missing
        ({'cook': 2}, 1)
    """
    profile = Profile({field.name: field.kind for field in fields}, seed)
    add_rows(profile, rows)
    return profile


def profile_batches(
    batches: Iterable[pl.DataFrame], kinds: Mapping[str, Kind], *, threads: int = 2, seed: int = 0
) -> Profile:
    """The profile of a stream of typed rows, of which a batch at a time is in memory.

    Args:
        batches: frames that have at least these columns; a long one is taken in piece by piece.
        kinds: of the columns that are profiled.
        threads: among which the columns are shared; how many there are changes nothing in the profile.

    Examples:
        >>> halves = [pl.DataFrame({"age": [30.0, None]}), pl.DataFrame({"age": [50.0]})]
        >>> age = profile_batches(halves, {"age": Kind.NUMBER}).columns["age"]
        >>> age.rows, age.missing, age.moments.mean
        (3, 1, 40.0)
    """
    profile = Profile(kinds, seed)
    sketching: list[Future[None]] = []
    with ThreadPoolExecutor(threads) as pool:
        for rows in _pieces(batches):  # which is read while the piece before it is sketched
            _await(sketching)  # each column sees its values in their order
            sketching = [pool.submit(_add_column, profile, name, rows) for name in profile.columns]
        _await(sketching)
    return profile


def _await(sketching: Iterable[Future[None]]) -> None:
    for column in sketching:
        column.result()


def add_rows(profile: Profile, rows: pl.DataFrame) -> None:
    """Take the rows' values of the profile's columns in."""
    for name in profile.columns:
        _add_column(profile, name, rows)


def _add_column(profile: Profile, name: str, rows: pl.DataFrame) -> None:
    add_series(
        profile.columns[name], rows.get_column(name).alias("value")
    )  # a name such as ^a$ would be a pattern


def _pieces(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for batch in batches:
        yield from batch.iter_slices(_PIECE)


def add_series(column: ColumnProfile, series: pl.Series) -> None:
    """Take in the values of a series of the profile's kind."""
    if column.kind is Kind.TIME:
        seconds = series.dt.epoch("us").fill_null(0).to_numpy() / 1e6
        seconds[series.is_null().to_numpy()] = float("nan")
        column.add_numbers(seconds)
    elif column.kind in (Kind.NUMBER, Kind.INTEGER):
        # Polars sorts in two thirds of the time of NumPy, and NaN, which is missing, to the end.
        values = series.cast(pl.Float64).fill_null(float("nan")).sort(multithreaded=False)
        column.add_numbers(values.to_numpy(), ordered=True)
    else:
        counts = series.drop_nulls().cast(pl.String).value_counts(name="rows")
        texts = counts.get_column("value").to_list()
        column.add_counts(dict(zip(texts, counts.get_column("rows").to_list(), strict=True)), series.null_count())
