"""The table of hourly sketches: a column of some rows of one hour as one row of a Delta table, and back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.schema import Kind
from mainspring.stats.distinct import DistinctCounter
from mainspring.stats.frequencies import Frequencies
from mainspring.stats.moments import Moments
from mainspring.stats.profile import ColumnProfile
from mainspring.stats.quantiles import QuantileSketch

INPUT, PREDICTION, LOG = "input", "prediction", "log"
"""The parts of an answer that are sketched; of the log the latency, which every answer has."""

LATENCY, AHEAD = "latency", "ahead"  # columns of the part `log`
VOID = "void"  # the part of a row that says: what this day has of earlier generations does not count

EXAMPLES = 20
"""So many different unseen values of a column are kept with how often each came."""

SKETCH_SCHEMA: dict[str, Any] = {
    "day": pl.Date(),  # of the hour, UTC; the partition
    "hour": pl.Datetime("us", "UTC"),  # where it begins
    "hours": pl.Int32(),  # how many hours it is of: 1, or 24 when it was rolled up
    "generation": pl.Int64(),  # of the reading of the log: see `monitoring.hours`
    "release": pl.Int32(),
    "role": pl.String(),
    "slice": pl.String(),  # JSON; {} for all rows
    "part": pl.String(),
    "column": pl.String(),
    "kind": pl.String(),
    "rows": pl.Int64(),
    "missing": pl.Int64(),
    "infinite": pl.Int64(),
    "unseen": pl.Int64(),  # rows whose category training did not have
    "out_of_range": pl.Int64(),  # rows whose number lies outside the range of training
    "unseen_values": pl.List(pl.String()),
    "unseen_counts": pl.List(pl.Int64()),
    "mean": pl.Float64(),
    "m2": pl.Float64(),
    "minimum": pl.Float64(),
    "maximum": pl.Float64(),
    "rank_error": pl.Int64(),
    "level_sizes": pl.List(pl.Int64()),  # of the quantile sketch; the values level by level in `kept`
    "compactions": pl.List(pl.Int64()),
    "kept": pl.List(pl.Float64()),
    "hashes": pl.List(pl.Int64()),  # the smallest ones, their bits taken as a signed number
    "distinct_capacity": pl.Int64(),
    "categories": pl.List(pl.String()),
    "counts": pl.List(pl.Int64()),
    "count": pl.Int64(),
    "count_error": pl.Int64(),
}
_KEY = ("hour", "hours", "generation", "release", "role", "slice", "part", "column")

# An hour is one of many that are merged: its own error may be that of a smaller sketch.
_QUANTILES, _DISTINCT = 512, 256
_MERGED_QUANTILES = 1024


def profiles_table(model: str) -> str:
    """The name of the table of a model's hourly sketches."""
    return f"profiles/{model}"


@dataclass(frozen=True, slots=True, order=True)
class SketchKey:
    """Whose values a sketch is of."""

    hour: datetime
    hours: int
    generation: int
    release: int
    role: str
    slice: str
    part: str
    column: str


@dataclass(slots=True)
class Sketch:
    """A column's profile, and what of it training did not have."""

    profile: ColumnProfile
    unseen: int = 0
    out_of_range: int = 0
    unseen_values: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_an_hour(cls, kind: Kind, hour: datetime) -> Sketch:
        """An empty one. Its seed is the hour's, so that the errors of hours do not add up."""
        seed = _seed(hour)
        profile = ColumnProfile(kind, seed)
        profile.quantiles = QuantileSketch(_QUANTILES, seed)
        profile.distinct = DistinctCounter(_DISTINCT)
        return cls(profile)

    def add_unseen(self, values: Iterable[tuple[str, int]]) -> None:
        """Take in values that training did not have, and how often each came."""
        for value, rows in values:
            self.unseen_values[value] = self.unseen_values.get(value, 0) + rows
        most = sorted(self.unseen_values.items(), key=lambda item: (-item[1], item[0]))
        self.unseen_values = dict(most[:EXAMPLES])


def merged(sketches: Sequence[Sketch]) -> Sketch:
    """One sketch of all that these have seen, all of one kind."""
    first = sketches[0].profile
    whole = Sketch(ColumnProfile(first.kind, first.quantiles.seed))
    whole.profile.quantiles = QuantileSketch(_MERGED_QUANTILES, first.quantiles.seed)
    whole.profile.merge(*(sketch.profile for sketch in sketches))
    for sketch in sketches:
        whole.unseen += sketch.unseen
        whole.out_of_range += sketch.out_of_range
    whole.add_unseen(item for sketch in sketches for item in sketch.unseen_values.items())
    return whole


def sketch_frame(sketches: Iterable[tuple[SketchKey, Sketch]]) -> pl.DataFrame:
    """The rows of the table that hold these sketches."""
    rows = [_row(key, sketch) for key, sketch in sketches]
    columns = {name: [row[name] for row in rows] for name in SKETCH_SCHEMA if name != "day"}
    columns["day"] = [row["hour"].date() for row in rows]
    return pl.DataFrame(columns, schema_overrides=SKETCH_SCHEMA).select(
        pl.col(name).cast(kind) for name, kind in SKETCH_SCHEMA.items()
    )


def void_row(day: date, generation: int) -> pl.DataFrame:
    """The mark that what a day has of earlier generations does not count."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    key = SketchKey(midnight, 24, generation, 0, "", "{}", VOID, "")
    return sketch_frame([(key, Sketch(ColumnProfile(Kind.NUMBER)))])


def read_sketches(frame: pl.DataFrame) -> Iterator[tuple[SketchKey, Sketch]]:
    """The sketches that rows of the table hold."""
    kept, kept_at = _flat(frame, "kept")
    hashes, hashes_at = _flat(frame, "hashes")
    plain = frame.drop("kept", "hashes", "day")
    for place, row in enumerate(plain.iter_rows(named=True)):
        yield (
            SketchKey(*(row[name] for name in _KEY)),
            _sketch(
                row,
                kept[kept_at[place] : kept_at[place + 1]],
                hashes[hashes_at[place] : hashes_at[place + 1]].view(np.uint64),
            ),
        )


def _row(key: SketchKey, sketch: Sketch) -> dict[str, Any]:
    profile = sketch.profile
    moments, quantiles, frequencies = profile.moments, profile.quantiles, profile.frequencies
    return {
        **{name: getattr(key, name) for name in _KEY},
        "kind": str(profile.kind),
        "rows": profile.rows,
        "missing": profile.missing,
        "infinite": profile.infinite,
        "unseen": sketch.unseen,
        "out_of_range": sketch.out_of_range,
        "unseen_values": list(sketch.unseen_values),
        "unseen_counts": list(sketch.unseen_values.values()),
        "mean": moments.mean,
        "m2": moments.m2,
        "minimum": moments.minimum,
        "maximum": moments.maximum,
        "rank_error": quantiles.rank_error,
        "level_sizes": [level.size for level in quantiles.levels],
        "compactions": list(quantiles.compactions),
        "kept": pl.Series(np.concatenate(quantiles.levels)),
        "hashes": pl.Series(profile.distinct.smallest.view(np.int64)),
        "distinct_capacity": profile.distinct.capacity,
        "categories": list(frequencies.counts),
        "counts": list(frequencies.counts.values()),
        "count": frequencies.count,
        "count_error": frequencies.error,
    }


def _sketch(row: dict[str, Any], kept: NDArray[np.float64], hashes: NDArray[np.uint64]) -> Sketch:
    profile = ColumnProfile(Kind(row["kind"]))
    profile.rows, profile.missing, profile.infinite = row["rows"], row["missing"], row["infinite"]
    profile.distinct = DistinctCounter.of(hashes, row["distinct_capacity"])
    ends = [0, *itertools.accumulate(row["level_sizes"])]
    profile.quantiles = QuantileSketch.of(
        [kept[start:end] for start, end in itertools.pairwise(ends)],
        row["compactions"],
        rank_error=row["rank_error"],
        capacity=_QUANTILES,
        seed=_seed(row["hour"]),
    )
    profile.moments = Moments.of(profile.quantiles.count, row["mean"], row["m2"], row["minimum"], row["maximum"])
    profile.frequencies = Frequencies.of(
        dict(zip(row["categories"], row["counts"], strict=True)), row["count"], row["count_error"]
    )
    unseen = dict(zip(row["unseen_values"], row["unseen_counts"], strict=True))
    return Sketch(profile, row["unseen"], row["out_of_range"], unseen)


def _seed(hour: datetime) -> int:
    return int(hour.timestamp()) // 3600 % 2**31


def _flat(frame: pl.DataFrame, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The values of all lists of a column, one after the other, and where each list begins (and the last ends)."""
    lists = frame.get_column(name)
    ends = np.concatenate([[0], lists.list.len().to_numpy().astype(np.int64).cumsum()])
    filled = lists.filter(lists.list.len() > 0)
    return filled.explode().to_numpy(), ends
