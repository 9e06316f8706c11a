"""What functions gave, kept: a picture is looked at once, and not at every run.

The rows that a function sees are a sequence that only grows (a snapshot and those that append to it, the rows
pushed to a view), so what it gave for the first rows holds for ever, and only further rows are computed. Where
rows name pictures there is a table for each state of these: what is as it was is taken over from another state's.

All of it can be made again, so what nobody has used for a week is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs

from mainspring.data.showing import SHOWN
from mainspring.domain.feature_view import FeatureFunction
from mainspring.domain.finding import Finding
from mainspring.domain.ids import digest_json
from mainspring.domain.ports import Tables
from mainspring.domain.schema import Kind, Severity
from mainspring.errors import FeatureError
from mainspring.features.code import code_digest
from mainspring.features.functions import KINDS, call
from mainspring.features.images import refused_pictures
from mainspring.features.pictures_seen import digest_of, pictures_seen
from mainspring.features.sequences import PIECE, RowSequence

UNUSED_FOR = timedelta(days=7)
_FOLDERS = ("results", "promises")
_FIRST = 1_000  # rows by which the kinds are found out
_SEEN = "__pictures"
_ROW = "__row"


def sweep(tables: Tables, view: str) -> int:
    """Remove what was kept of a view and was not used for so long; how many tables.

    Who reads one has said so when it began, and reads for less than that.
    """
    names = [name for folder in _FOLDERS for name in tables.names(f"{folder}/{view}")]
    return sum(tables.remove(name, unused_for=UNUSED_FOR) for name in names)


class Results:
    """The results of a function of a view over a sequence of its rows.

    Args:
        pictures: the state in which the rows' pictures were when the rows were taken (see `pictures_seen`); as
            they are now where empty.
    """

    def __init__(
        self, tables: Tables, view: str, function: FeatureFunction, sequence: RowSequence, pictures: str = ""
    ) -> None:
        self.findings: list[Finding] = []
        """What was seen while results were computed."""
        digest = digest_json([code_digest(function.function), list(function.gives), sequence.name])
        self._tables = tables
        self._view = view
        self._function = function
        self._rows = sequence.piece
        self._length = sequence.length
        self._name = f"results/{view}/{digest[:24]}"
        self._table = self._name if not sequence.pictures else f"{self._name}-{pictures}"
        self._seen: pl.Series | None = None
        if sequence.pictures and not (pictures and self._count() == self._length):
            self._seen = pictures_seen(sequence)
            present = digest_of(self._seen)
            if pictures and present != pictures:
                self.findings.append(_changed(view))
            self._table = f"{self._name}-{present}"

    def kinds(self) -> dict[str, Kind]:
        """What the function gives; computes the first rows where nothing is known yet."""
        if not self._tables.touch(self._table):
            self._extend(min(self._length, _FIRST))
        return {name: KINDS[dtype] for name, dtype in self._kept().collect_schema().items()}

    def frame(self) -> pl.LazyFrame:
        """The results of all rows, in order; computes those that are not there yet."""
        self.kinds()
        self._extend(self._length)
        return self._kept().head(self._length)

    def _kept(self, table: str | None = None) -> pl.LazyFrame:
        frame: pl.LazyFrame = self._tables.scan(table or self._table)
        return frame.drop(_SEEN, strict=False)

    def _extend(self, length: int) -> None:
        there = self._count()
        earlier = self._nearest() if self._seen is not None and there < length else None
        while there < length:
            size = min(PIECE, length - there)
            with refused_pictures() as refused:
                given = self._given(there, size, earlier)
            if refused:
                self.findings.append(_refused(self._view, refused))
            # The transaction is the place, so that of two who compute the same rows one only writes them.
            transaction = f"from-{there}"
            if self._tables.exists(self._table):
                stored = self._with_seen(self._alike(given, self._kept().collect_schema()), there)
                self._tables.append(self._table, stored, transaction=transaction)
            else:
                # What has no value yet is taken for a number.
                known = given.with_columns(cs.by_dtype(pl.Null).cast(pl.Float64))
                self._tables.create(self._table, self._with_seen(known, there), transaction=transaction)
            there = self._count()

    def _count(self) -> int:
        if not self._tables.exists(self._table):
            return 0
        return int(self._kept().select(pl.len()).collect().item())

    def _with_seen(self, given: pl.DataFrame, first: int) -> pl.DataFrame:
        return (
            given if self._seen is None else given.with_columns(self._seen.slice(first, given.height).alias(_SEEN))
        )

    def _nearest(self) -> str | None:
        """Of the tables of other states of the pictures the one that has most of them as they are now."""
        assert self._seen is not None
        best, most = None, 0
        for name in self._tables.names(self._name.rpartition("/")[0]):
            if name.startswith(f"{self._name}-") and name != self._table:
                alike = int(self._same(name, 0, self._length).sum())
                best, most = (name, alike) if alike > most else (best, most)
        return best

    def _same(self, table: str, first: int, size: int) -> pl.Series:
        """For each of these rows whether the table has it with its pictures as they are now."""
        assert self._seen is not None
        now = self._seen.slice(first, size)
        seen = self._tables.scan(table).select(cs.by_name(_SEEN)).slice(first, size).collect().to_series()
        same: pl.Series = seen.eq_missing(now.head(seen.len()))
        return same.extend_constant(False, now.len() - seen.len())

    def _given(self, first: int, size: int, earlier: str | None) -> pl.DataFrame:
        """What the function gives for these rows; where a table has it already, it is not asked."""
        rows = self._rows(first, size)
        if earlier is None:
            return call(self._view, self._function, rows, range(first, first + size))
        same = self._same(earlier, first, size)
        kept = self._kept(earlier).slice(first, size).collect().filter(same.head(size))
        if kept.height == rows.height:
            return kept
        places = pl.int_range(first, first + size, eager=True)
        asked = places.filter(~same)
        given = call(self._view, self._function, rows.filter(~same), asked.to_list())
        parts = [
            kept.with_columns(places.filter(same).alias(_ROW)),
            self._alike(given, kept.schema).with_columns(asked.alias(_ROW)),
        ]
        return pl.concat(parts).sort(_ROW).drop(_ROW)

    def _alike(self, given: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Further results of the types that there are."""
        columns = []
        for values in given:
            before = types[values.name]
            if values.dtype not in (before, pl.Null):
                raise FeatureError(
                    f"the function {self._function.function.__name__!r} of the view {self._view!r} gave "
                    f"{KINDS[values.dtype]} values for {values.name!r}, and {KINDS[before]} values before",
                    cure="give one type for all rows, also where a piece of them has no value at all",
                    where={"view": self._view, "function": self._function.function.__name__},
                )
            columns.append(values.cast(before) if values.dtype == pl.Null else values)
        return pl.DataFrame(columns)


def _refused(view: str, refused: Sequence[tuple[str, str]]) -> Finding:
    path, problem = refused[0]
    return Finding(
        code="refused-picture",
        severity=Severity.WARNING,
        message=f"{len(refused):,} pictures of the view {view!r} have no numbers, the first is {Path(path).name}: "
        f"{problem}",
        cure="replace them, or leave them: their features are missing, or as the view's defaults say",
        rows=len(refused),
        examples=tuple({"file": Path(file).name, "problem": why} for file, why in refused[:SHOWN]),
    )


def _changed(view: str) -> Finding:
    return Finding(
        code="changed-picture",
        severity=Severity.WARNING,
        message=f"pictures of the view {view!r} are other files than when its rows were taken, and what they gave "
        "then is no longer kept: they were read as they are now",
        cure="bring the former pictures back to have what they gave, or go on with the new ones",
    )
