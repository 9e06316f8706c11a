"""Check the snapshot against the schema, against its predecessor, and for leaks of the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mainspring.errors import ValidationFailed
from mainspring.loop.lifecycle.context import RunContext

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.finding import Finding, ValidationReport


def run(context: RunContext) -> str:
    """Write the report; an error in it ends the run before anything is registered.

    Raises:
        ValidationFailed: with the first errors in its message.
    """
    from mainspring.data.leakage import find_leaks
    from mainspring.data.validation import validate

    resolved, data = context.resolved, context.data
    report = validate(
        _source_rows(context),
        context.source_schema,
        str(context.run.snapshot),
        previous=_previous_rows(context),
        now=context.workspace.clock.now(),
    )
    holdout = data.holdout if len(data.holdout) == context.rows.height else None
    leaks = find_leaks(
        context.rows,
        context.schema,
        target=resolved.target,
        task=resolved.task,
        features=resolved.features,
        key=resolved.key,
        time=resolved.time,
        holdout=holdout,
    )
    found = (*report.findings, *context.learning.findings, *data.findings, *leaks, *_check_views(context))
    report = replace(report, findings=found)
    context.save("validation.json", report)
    if report.errors:
        raise _failure(report)
    return f"{len(report.warnings)} warnings" if report.warnings else "nothing to remark"


def _source_rows(context: RunContext) -> pl.DataFrame:
    """What schema.toml speaks of; the gateway has checked what it was asked."""
    from mainspring.data.columns import columns_of
    from mainspring.data.labelled_rows import ANSWERED

    rows, made = context.rows, set(context.schema.names) - set(context.source_schema.names)
    if ANSWERED in rows.columns:
        rows = rows.filter(rows.get_column(ANSWERED).is_null())
    return columns_of(rows, [name for name in rows.columns if name not in made and name != ANSWERED])


def _check_views(context: RunContext) -> tuple[Finding, ...]:
    """The checks of the views' own rows, and what was odd about them.

    Raises:
        ValidationFailed: a view's rows are not as they must be.
    """
    if not context.model.views:
        return ()
    made = context.model_rows
    for view in context.model.views:
        made.offline.check(view, made.taken[view.name])
    return tuple(made.offline.findings)


def _previous_rows(context: RunContext) -> pl.DataFrame | None:
    """The rows of the snapshot that the model's last finished run took, if it was another one."""
    for run in context.workspace.records.runs(context.model.name):
        if run.state.is_final and run.snapshot not in (None, context.run.snapshot):
            rows: pl.DataFrame = context.workspace.snapshots.read(run.snapshot).collect()
            return rows
    return None


def _failure(report: ValidationReport) -> ValidationFailed:
    first = report.errors[0]
    more = f" (and {len(report.errors) - 1} more errors)" if len(report.errors) > 1 else ""
    return ValidationFailed(
        f"{f'{first.column}: ' if first.column else ''}{first.message}{more}",
        cure=first.cure or "mend the data, or the column's entry in schema.toml",
        where={"column": first.column, "snapshot": report.snapshot, "examples": list(first.examples)},
    )
