"""Is this snapshot what the schema says, and what the one before it was?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from mainspring.data.anomalies import find_anomalies
from mainspring.data.oddities import find_oddities
from mainspring.data.schema_checks import broken_promises
from mainspring.data.schema_findings import finding_of
from mainspring.data.showing import HIDDEN, row_numbers
from mainspring.domain.finding import Finding, ValidationReport
from mainspring.domain.schema import Schema, Severity


def validate(
    frame: pl.DataFrame,
    schema: Schema,
    snapshot: str,
    *,
    previous: pl.DataFrame | None,
    now: datetime,
) -> ValidationReport:
    """Check the rows against the schema and against the previous snapshot.

    A broken promise of a column has that column's severity (`off`: it is not looked for); a column that is
    absent or of another type is always an error, for nothing after it can work; what is merely odd is a warning.

    Args:
        frame: the snapshot's typed rows; with `__row`, examples are numbered by it.
        previous: the typed rows of the snapshot before, if there is one.
        now: for freshness.

    Raises:
        DataError: a bound in the schema cannot be read.
    """
    rows = frame.height
    shown = frame.drop(HIDDEN, strict=False)
    findings = list(_column_findings(shown, schema))
    if rows == 0:
        findings.insert(0, _no_rows())
    else:
        watched = Schema(tuple(c for c in schema if c.severity is not Severity.OFF), schema.file)
        numbers = row_numbers(frame)
        broken = broken_promises(shown, watched, now)
        findings += [finding_of(promise, shown, numbers, now, schema.file) for promise in broken]
        findings += find_oddities(shown, watched, numbers)
    if previous is not None and previous.height and rows:
        findings += find_anomalies(shown, previous.drop(HIDDEN, strict=False), schema)
    return ValidationReport(snapshot=snapshot, rows=rows, findings=tuple(findings))


def _no_rows() -> Finding:
    return Finding(
        code="no-rows",
        severity=Severity.ERROR,
        message="there are no rows",
        cure="check the source's path or query",
        rows=0,
    )


def _column_findings(frame: pl.DataFrame, schema: Schema) -> Iterable[Finding]:
    for column in schema:
        if column.name not in frame.columns:
            yield Finding(
                code="column-absent",
                severity=Severity.ERROR,
                column=column.name,
                message=f"the schema has the column {column.name!r} and the rows do not",
                cure=f"give the column, or take it out of {schema.file}",
            )
    for name in frame.columns:
        if name not in schema:
            yield Finding(
                code="column-unknown",
                severity=Severity.WARNING,
                column=name,
                message=f"the rows have the column {name!r} and the schema does not",
                cure=f"add the column to {schema.file}, or leave it out of the source",
            )
