"""In which state the pictures of some rows are: one that was changed under its name is read again."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import polars as pl
import polars.selectors as cs

from mainspring.data.columns import HARMLESS
from mainspring.data.snapshots import PART
from mainspring.features.sequences import RowSequence

_DIGITS = 16  # of a digest, hexadecimal


def pictures_seen(sequence: RowSequence) -> pl.Series:
    """Of each row what tells its pictures' files from changed ones: their sizes and times; missing where it has
    none, empty where a file is not there.

    Costs a look at each file, and reads none.
    """
    has_parts = PART in sequence.rows.collect_schema()
    part = (pl.col(PART) if has_parts else pl.lit(0)).alias("part")
    states = []
    for number, name in enumerate(sequence.pictures):
        named = (
            sequence.rows.select(cs.by_name(name).as_expr().alias("path"), part).head(sequence.length).collect()
        )
        files = named.drop_nulls().unique()
        found = [_state(sequence.folders[place], path) for path, place in files.iter_rows()]
        files = files.with_columns(pl.Series("state", found, pl.String))
        joined = named.join(files, on=["path", "part"], how="left", maintain_order="left")
        states.append(joined.get_column("state").alias(str(number)))
    return pl.DataFrame(states).select(pl.concat_str(pl.all(), separator="|", ignore_nulls=True)).to_series()


def digest_of(seen: pl.Series) -> str:
    """The same for rows whose pictures are in the same states.

    Examples:
        >>> digest_of(pl.Series(["1:5", None])) == digest_of(pl.Series(["1:5", None]))
        True
        >>> digest_of(pl.Series(["1:5", None])) == digest_of(pl.Series(["1:6", None]))
        False
    """
    texts = seen.alias(HARMLESS).fill_null("-").to_list()
    return sha256("\n".join(texts).encode()).hexdigest()[:_DIGITS]


def _state(folder: Path, path: str) -> str:
    try:
        found = (folder / path).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}"
