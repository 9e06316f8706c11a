"""64-bit hashes of values that are the same in every process, version and row order, for ever.

Python's `hash` differs from process to process, and a library's own hash may change with its version. Here texts
go through BLAKE2b (RFC 7693), numbers through the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import HARMLESS
from mainspring.errors import DataError

Hashes = NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def hash_key(series: pl.Series) -> Hashes:
    """The hash of each key's text [n]; a number hashes as its decimal text, so that `17` and `"17"` agree.

    Missing keys get the hash of the empty text; the caller decides about them.

    Examples:
        >>> bool((hash_key(pl.Series([17])) == hash_key(pl.Series(["17"]))).all())
        True
    """
    return _hash_texts(_texts(series.alias(HARMLESS), series.name))


def hash_rows(frame: pl.DataFrame) -> Hashes:
    """The hash of each row's content [n], whatever the order of the rows and of the columns.

    Examples:
        >>> frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
        >>> bool((hash_rows(frame) == hash_rows(frame.select("b", "a"))).all())
        True
    """
    total = np.zeros(frame.height, dtype=np.uint64)
    for series in frame.iter_columns():
        name = np.uint64(int.from_bytes(_digest(series.name), "little"))
        values = _hash_values(series.alias(HARMLESS), series.name)
        total += mix(values ^ name)  # a sum: the order of the columns does not matter
    return mix(total)


def mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64: each bit of the input changes about half of the output's bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hash_values(series: pl.Series, name: str) -> Hashes:
    if series.dtype.is_numeric() or series.dtype.is_temporal() or series.dtype == pl.Boolean:
        return _hash_numbers(series)
    return np.where(series.is_null().to_numpy(), _MISSING, _hash_texts(_texts(series, name)))


def _hash_numbers(series: pl.Series) -> Hashes:
    """A number by the bits of its double (a whole one beyond 2**53 by its own), so that `1` and `1.0` agree."""
    missing = series.is_null().to_numpy()
    if series.dtype.is_temporal():
        whole = (
            series.cast(pl.Datetime("us")).cast(pl.Int64) if series.dtype != pl.Duration else series.cast(pl.Int64)
        )
        bits = whole.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
        return np.where(missing, _MISSING, mix(bits))
    doubles = series.cast(pl.Float64).fill_null(0.0).to_numpy().astype(np.float64) + 0.0  # -0.0 becomes 0.0
    doubles[np.isnan(doubles)] = np.nan  # one NaN of the many
    bits = doubles.view(np.uint64)
    if series.dtype.is_integer():
        whole_bits = series.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
        bits = np.where(np.abs(doubles) >= 2.0**53, whole_bits, bits)
    return np.where(missing, _MISSING, mix(bits))


def _texts(series: pl.Series, name: str) -> pl.Series:
    """Of values under a name that Polars takes for no pattern; their own name is for the message."""
    if series.dtype == pl.String or series.dtype.is_integer():
        return series.cast(pl.String)
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if series.dtype == pl.Boolean:
        return series.cast(pl.Int8).cast(pl.String)
    if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        return series.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.String)
    if series.dtype.is_float():
        # Python's shortest repr is fixed by its definition; a library's formatting is not.
        values = [None if v is None else str(int(v)) if v == v and v.is_integer() else repr(v) for v in series]
        return pl.Series(series.name, values, dtype=pl.String)
    raise DataError(
        f"the column {name!r} of type {series.dtype} cannot name rows",
        cure="use a text, a number or a time as key",
        where={"column": name},
    )


def _hash_texts(texts: pl.Series) -> Hashes:
    """BLAKE2b of each distinct text once."""
    distinct = texts.fill_null("").to_frame("text").with_columns(code=pl.col("text").rank("dense") - 1)
    ordered = distinct.unique("code").sort("code")
    hashes = np.frombuffer(b"".join(_digests(ordered.get_column("text").to_list())), dtype="<u8")
    found: Hashes = hashes.astype(np.uint64)[distinct.get_column("code").to_numpy()]
    return found


def _digests(texts: Iterable[str]) -> Iterable[bytes]:
    blake = hashlib.blake2b
    return [blake(text.encode(), digest_size=8).digest() for text in texts]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
