"""What was answered beside what came true: the join of a model's prediction log with its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from mainspring.data.labels import DTYPES, LABEL_SCHEMA, holding
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import (
    PREDICTION_COLUMNS,
    TRUTH,
    Role,
    labels_table,
    predictions_table,
)

REPEATED_WITHIN = timedelta(days=1)
"""An id that comes again within this time of its last use, answered by the same release, is a repetition."""

OUTCOME_PREFIX = "outcome_"
_ABOUT = (
    ("prediction_id", "id"),
    ("key", "key"),
)  # of a message, and of the prediction; the first beats the second
_SCHEMA = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}


def predictions(
    tables: Tables,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    as_of: datetime | None = None,
    release: int | None = None,
    role: Role | str | None = None,
) -> pl.LazyFrame:
    """A model's predictions, each once, with the truth about them.

    A prediction that was logged twice, because its client used a request id again, is the first of the two: a
    repetition within a day of the id's last use is dropped. Shadows answered under the id of the live answer; they
    are left out unless asked for by their role.

    Args:
        since, until: of the answers, `since` included and `until` not. Times without a zone are UTC.
        as_of: labels received after this time are not seen, so that the result is what was known then.
        release: only what this release answered.
        role: only what was answered in this role; without it everything but shadows.

    Returns:
        The columns of the prediction log, and

        - `label` (the class) and `label_value` (the number of a regression's target, null otherwise),
        - `label_happened_at`: when it came true, where that was said,
        - `label_at`: when it was received; null where no label is known,
        - `label_delay`: `label_at` less `at`, below zero where the label came before the answer,
        - `outcome_<name>` for each business outcome ever said of the model, a number.
    """
    since, until, as_of = _utc(since), _utc(until), _utc(as_of)
    logged = _logged(tables, model, since, until)
    answers = _without_repetitions(logged)
    if since is not None:
        answers = answers.filter(pl.col("at") >= since)
    answers = answers.filter(pl.col("role") != Role.SHADOW if role is None else pl.col("role") == str(role))
    if release is not None:
        answers = answers.filter(pl.col("release") == release)
    columns = answers.collect_schema().names()
    labels = _labels(tables, model, as_of)
    said_of = _names(labels)
    for about, column in _ABOUT:
        # Only what is said of these predictions: the table of labels may hold years of others.
        asked = logged.select(pl.col(column).alias(about))
        said = holding(labels.join(asked, on=about, how="semi"), about)
        if said_of[about]:
            answers = answers.join(
                _wide(said, about, said_of[about]),
                left_on=column,
                right_on=about,
                how="left",
                maintain_order="left",
            )
    return answers.select(*columns, *_truth(said_of))


def _logged(tables: Tables, model: str, since: datetime | None, until: datetime | None) -> pl.LazyFrame:
    """The rows of the log in this time, and before it as far as a repetition may be of."""
    table = predictions_table(model)
    if not tables.exists(table):
        return pl.LazyFrame(schema=_SCHEMA)
    rows: pl.LazyFrame = tables.scan(table)
    if since is not None:
        before = since - REPEATED_WITHIN
        rows = rows.filter(pl.col("day") >= before.date(), pl.col("at") >= before)
    if until is not None:
        rows = rows.filter(pl.col("day") <= until.date(), pl.col("at") < until)
    return rows


def _without_repetitions(rows: pl.LazyFrame) -> pl.LazyFrame:
    # Sorting a million ids takes a second, so only those that may come twice are looked at.
    columns = rows.collect_schema().names()
    marked = rows.with_columns(pl.len().over(pl.col("id").hash()).alias("__times"))
    several = marked.filter(pl.col("__times") > 1).sort("id", "release", "at", maintain_order=True)
    same = pl.col("id").eq(pl.col("id").shift()) & pl.col("release").eq(pl.col("release").shift())
    soon = pl.col("at") - pl.col("at").shift() <= REPEATED_WITHIN
    first = several.filter(~(same & soon).fill_null(value=False))
    return pl.concat([marked.filter(pl.col("__times") == 1), first]).select(columns)


def _names(labels: pl.LazyFrame) -> dict[str, list[str]]:
    """The names of what is said, by prediction id and by key."""
    found = labels.select("name", pl.col("prediction_id").is_not_null().alias("by_id")).unique().collect()
    return {
        about: sorted(found.filter(pl.col("by_id") == (about == "prediction_id")).get_column("name").to_list())
        for about, _ in _ABOUT
    }


def _labels(tables: Tables, model: str, as_of: datetime | None) -> pl.LazyFrame:
    table = labels_table(model)
    if not tables.exists(table):
        return pl.LazyFrame(schema=LABEL_SCHEMA)
    rows: pl.LazyFrame = tables.scan(table)
    return rows if as_of is None else rows.filter(pl.col("day") <= as_of.date(), pl.col("at") <= as_of)


def _wide(said: pl.LazyFrame, about: str, names: Sequence[str]) -> pl.LazyFrame:
    """One row for each prediction (or key), with columns for each name."""
    if len(names) == 1:
        return said.select(about, *(pl.col(c).alias(_part(about, names[0], c)) for c in _parts(names[0])))
    return said.group_by(about).agg(
        # There is one value at most.
        pl.col(column).filter(pl.col("name") == name).first().alias(_part(about, name, column))
        for name in names
        for column in _parts(name)
    )


def _parts(name: str) -> tuple[str, ...]:
    return ("label", "value", "happened_at", "at") if name == TRUTH else ("value", "at")


def _part(about: str, name: str, column: str) -> str:
    return f"__{about}:{name}:{column}"


def _truth(said_of: Mapping[str, Sequence[str]]) -> list[pl.Expr]:
    """What is said by the prediction's id, else what is said by its key."""

    def held(name: str, column: str) -> pl.Expr:
        found: pl.Expr = pl.lit(None, LABEL_SCHEMA[column])
        for about, _ in reversed(_ABOUT):
            if name in said_of[about]:
                said = pl.col(_part(about, name, "at")).is_not_null()
                found = pl.when(said).then(pl.col(_part(about, name, column))).otherwise(found)
        return found

    outcomes = sorted({name for names in said_of.values() for name in names} - {TRUTH})
    known = held(TRUTH, "label").is_not_null() | held(TRUTH, "value").is_not_null()
    received = pl.when(known).then(held(TRUTH, "at"))
    return [
        held(TRUTH, "label").alias("label"),
        held(TRUTH, "value").alias("label_value"),
        held(TRUTH, "happened_at").alias("label_happened_at"),
        received.alias("label_at"),
        (received - pl.col("at")).alias("label_delay"),
        *(held(name, "value").alias(OUTCOME_PREFIX + name) for name in outcomes),
    ]


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
