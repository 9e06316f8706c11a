"""Whether both sides gave the same values; who is quick and wrong has won nothing."""

from pathlib import Path

import polars as pl

from features_data import FEATURES, VIEWS

_THEIRS = " of the other"


def history_agreement(folder: Path, ours: Path, theirs: Path) -> dict[str, int]:
    """Compares what events were given, view by view, where both sides returned the event.

    Feast takes a row from when it happened on, and here it counts once it is known, too. Events between these two
    moments of a row of theirs are counted apart.
    """
    found = {"compared": 0, "other values": 0, "told before it was known": 0}
    events = pl.scan_parquet(folder / "events.parquet").select("event_id", "entity", at="event_timestamp")
    mine, given = pl.read_parquet(ours), pl.read_parquet(theirs)
    for number in range(VIEWS):
        rows = pl.scan_parquet(folder / f"view_{number}.parquet").select("entity", "event_timestamp", "created")
        between = pl.col("at").is_between("event_timestamp", "created", closed="left")
        early = events.join(rows, on="entity").filter(between).select("event_id").collect().to_series()
        both = _both(mine, given, number, "event_id")
        known = both.filter(~pl.col("event_id").is_in(early.implode()))
        found["compared"] += known.height
        found["other values"] += _differing(known)
        found["told before it was known"] += _differing(both) - _differing(known)
    return found


def online_agreement(ours: Path, theirs: Path) -> dict[str, int]:
    """Compares what the online stores have of some entities."""
    found = {"compared": 0, "other values": 0}
    mine, given = pl.read_parquet(ours), pl.read_parquet(theirs)
    for number in range(VIEWS):
        both = _both(mine, given, number, "entity")
        found["compared"] += both.height
        found["other values"] += _differing(both)
    return found


def _both(ours: pl.DataFrame, theirs: pl.DataFrame, number: int, key: str) -> pl.DataFrame:
    """One view's features side by side."""
    names = [f"f{place}" for place in range(FEATURES)]
    mine = ours.select(key, *(pl.col(f"view_{number}.{name}").alias(name) for name in names))
    # What is missing is NaN in pandas; the data have none of their own.
    given = theirs.select(
        pl.col(key).cast(pl.Int64),
        *(pl.col(f"view_{number}__{name}").fill_nan(None).alias(name) for name in names),
    )
    return mine.join(given, on=key, suffix=_THEIRS)


def _differing(both: pl.DataFrame) -> int:
    names = [f"f{place}" for place in range(FEATURES)]
    other = pl.any_horizontal(*(pl.col(name).ne_missing(pl.col(name + _THEIRS)) for name in names))
    return int(both.select(other.sum()).item())
