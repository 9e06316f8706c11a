"""What was answered beside what came true: the join of a model's prediction log with its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from mainspring.data.labels import DTYPES, LABEL_SCHEMA, holding
from mainspring.domain.instants import in_utc
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
    """A model's predictions, each once, with the truth about them, in no particular order.

    The labels of these predictions are read at once, into memory; the predictions when the frame is collected.

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
    answers = _answers(tables, model, since, until)
    window = answers
    answers = answers.filter(pl.col("role") != Role.SHADOW if role is None else pl.col("role") == str(role))
    if release is not None:
        answers = answers.filter(pl.col("release") == release)
    return beside_truth(tables, model, answers, as_of=as_of, window=window)


def beside_truth(
    tables: Tables,
    model: str,
    answers: pl.LazyFrame,
    *,
    as_of: datetime | None = None,
    window: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Some answers of a model with what came true of them, in the columns that `predictions` tells of.

    Args:
        answers: with the columns `id`, `key` and `at`, among others.
        as_of: as `predictions` takes it.
        window: answers among which these are, and whose labels are quicker to find; these where not given.
    """
    window = answers if window is None else window
    columns = answers.collect_schema().names()
    labels = _labels(tables, model, as_of)
    said_of = _names(labels)
    for about, column in _ABOUT:
        if not said_of[about]:
            continue
        # Only what is said of these predictions: the table of labels may hold years of others. Two texts of one
        # hash do no harm here, and hashes are joined in half of the time.
        asked = window.select(pl.col(column).drop_nulls().hash().alias("__hash"))
        of_these = labels.filter(pl.col(about).is_not_null()).with_columns(pl.col(about).hash().alias("__hash"))
        said = of_these.join(asked, on="__hash", how="semi").drop("__hash").collect().lazy()
        wide = _wide(holding(said, about), about, said_of[about])
        answers = answers.join(wide, left_on=column, right_on=about, how="left")
    return answers.select(*columns, *_truth(said_of))


def _answers(tables: Tables, model: str, since: datetime | None, until: datetime | None) -> pl.LazyFrame:
    """The rows of the log in this time, without repetitions."""
    table = predictions_table(model)
    if not tables.exists(table):
        return pl.LazyFrame(schema=_SCHEMA)
    rows: pl.LazyFrame = tables.scan(table)
    if until is not None:
        rows = rows.filter(pl.col("day") <= until.date(), pl.col("at") < until)
    before = rows if since is None else _from(rows, since - REPEATED_WITHIN)
    window = rows if since is None else _from(rows, since)
    # Sorting a million ids takes a second, so only those that come twice are looked at; mostly there are none.
    hashes = before.select(pl.col("id").hash(), "release").group_by("id", "release").agg(pl.len().alias("times"))
    several = hashes.filter(pl.col("times") > 1).collect().get_column("id").unique()
    if not several.len():
        return window
    repeated = pl.col("id").hash().is_in(several.implode())
    ordered = before.filter(repeated).sort("id", "release", "at", maintain_order=True)
    same = pl.col("id").eq(pl.col("id").shift()) & pl.col("release").eq(pl.col("release").shift())
    soon = pl.col("at") - pl.col("at").shift() <= REPEATED_WITHIN
    first = ordered.filter(~(same & soon).fill_null(value=False))
    return pl.concat([window.filter(~repeated), first if since is None else first.filter(pl.col("at") >= since)])


def _from(rows: pl.LazyFrame, moment: datetime) -> pl.LazyFrame:
    return rows.filter(pl.col("day") >= moment.date(), pl.col("at") >= moment)


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
    return None if moment is None else in_utc(moment)
