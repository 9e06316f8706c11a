"""What functions gave, kept: a picture is looked at once, and not at every run.

The rows that a function sees are a sequence that only grows (a snapshot and those that append to it, the rows
pushed to a view), so what it gave for the first rows holds for ever, and only further rows are computed.
"""

from __future__ import annotations

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
from mainspring.features.sequences import PIECE, RowSequence

_FIRST = 1_000  # rows by which the kinds are found out


class Results:
    """The results of a function of a view over a sequence of its rows."""

    def __init__(self, tables: Tables, view: str, function: FeatureFunction, sequence: RowSequence) -> None:
        self.findings: list[Finding] = []
        """What was seen while results were computed."""
        digest = digest_json([code_digest(function.function), list(function.gives), sequence.name])
        self._tables = tables
        self._view = view
        self._function = function
        self._table = f"results/{view}/{digest[:24]}"
        self._rows = sequence.piece
        self._length = sequence.length

    def kinds(self) -> dict[str, Kind]:
        """What the function gives; computes the first rows where nothing is known yet."""
        if not self._tables.exists(self._table):
            self._extend(min(self._length, _FIRST))
        return {name: KINDS[dtype] for name, dtype in self._kept().collect_schema().items()}

    def frame(self) -> pl.LazyFrame:
        """The results of all rows, in order; computes those that are not there yet."""
        self.kinds()
        self._extend(self._length)
        return self._kept().head(self._length)

    def _kept(self) -> pl.LazyFrame:
        frame: pl.LazyFrame = self._tables.scan(self._table)
        return frame

    def _extend(self, length: int) -> None:
        there = self._count()
        while there < length:
            size = min(PIECE, length - there)
            with refused_pictures() as refused:
                given = call(self._view, self._function, self._rows(there, size), there)
            if refused:
                self.findings.append(_refused(self._view, refused))
            # The transaction is the place, so that of two who compute the same rows one only writes them.
            transaction = f"from-{there}"
            if self._tables.exists(self._table):
                self._tables.append(self._table, self._alike(given), transaction=transaction)
            else:
                # What has no value yet is taken for a number.
                known = given.with_columns(cs.by_dtype(pl.Null).cast(pl.Float64))
                self._tables.create(self._table, known, transaction=transaction)
            there = self._count()

    def _count(self) -> int:
        if not self._tables.exists(self._table):
            return 0
        return int(self._kept().select(pl.len()).collect().item())

    def _alike(self, given: pl.DataFrame) -> pl.DataFrame:
        """Further results of the types that there are."""
        types = self._kept().collect_schema()
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


def _refused(view: str, refused: list[tuple[str, str]]) -> Finding:
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
