"""What a source is: its columns with their kinds, and what may be learnt from them; each guess with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.inference_kinds import Guess, Hints, guess_kind
from mainspring.data.inference_roles import (
    check_target,
    find_features,
    find_key,
    find_positive,
    find_task,
    find_time,
    target_candidates,
)
from mainspring.data.inference_sample import Sample, read_sample
from mainspring.data.parsing import parse
from mainspring.data.reading_faults import Faults
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.source import Source
from mainspring.domain.task import Task
from mainspring.errors import TargetError

_MOST_CATEGORIES = 1_000
_SLACK = 0.1  # of the range, on each side


@dataclass(frozen=True, slots=True)
class Inference:
    """What was found out about a source.

    Attributes:
        source: with read options, key and time filled in.
        reasons: column → why it is of its kind.
        target, task, positive: what is to be predicted; `None` where no target was given.
        key, time: the chosen columns, if any.
        features: the columns to learn from.
        left_out: column → why it is no feature.
        target_candidates: columns worth predicting with the reason, the likeliest first.
        rows: how many rows were looked at.
        complete: whether these were all the rows.
    """

    source: Source
    schema: Schema
    reasons: dict[str, str]
    target: str | None
    task: Task | None
    task_reason: str
    positive: str | None
    key: str | None
    key_reason: str
    time: str | None
    time_reason: str
    features: tuple[str, ...]
    left_out: dict[str, str]
    target_candidates: tuple[tuple[str, str], ...]
    rows: int
    complete: bool = field(default=True)


def infer(
    source: Source,
    root: Path,
    *,
    target: str | None = None,
    key: str | None = None,
    time: str | None = None,
    task: Task | None = None,
    environ: Mapping[str, str] | None = None,
) -> Inference:
    """Look at a source and guess.

    Args:
        root: the project's folder.
        target, key, time, task: what the user knows; guessed where not given (a target is only proposed).
        environ: where `$NAME` in a database URL is taken from.

    Raises:
        SourceNotFound, SourceFormatError: the source cannot be read.
        ValueParseError: a column is clearly of a kind, but a few of its values are not.
        TargetError: the target is absent, missing, constant, or cannot be of the task.
        DataError: the key or the time is absent or makes no sense.
    """
    sample = read_sample(source, root, environ)
    key, time = key or source.key, time or source.time
    if target is not None:
        check_target(sample.frame, target)
    guesses = _guesses(sample, target, key, time)
    schema = Schema(tuple(guess.column for guess in guesses))
    frame = _typed(sample, schema)
    key, key_reason = find_key(frame, schema, key)
    time, time_reason = find_time(frame, schema, time, target)
    if key is not None and not sample.complete:
        key_reason += f", in the {frame.height:,} rows that were looked at"
    schema = Schema(tuple(_with_checks(column, values_of(frame, column.name), key) for column in schema))

    roles = {name: reason for name, reason in ((key, "the key"), (time, "orders the rows")) if name is not None}
    found_task, task_reason, positive = None, "no target was named", None
    if target is not None:
        present = check_target(frame, target)
        found_task, task_reason = find_task(present, schema[target].kind, task)
        _check_classes(present, found_task, sample.complete)
        positive = find_positive(present) if found_task is Task.BINARY else None
        roles[target] = "the target"
    features, left_out = find_features(frame, schema, roles)
    return Inference(
        source=replace(sample.source, key=key, time=time),
        schema=schema,
        reasons={guess.column.name: guess.reason for guess in guesses},
        target=target,
        task=found_task,
        task_reason=task_reason,
        positive=positive,
        key=key,
        key_reason=key_reason,
        time=time,
        time_reason=time_reason,
        features=features,
        left_out=left_out,
        target_candidates=target_candidates(frame, schema, key, time),
        rows=frame.height,
        complete=sample.complete,
    )


def _guesses(sample: Sample, target: str | None, key: str | None, time: str | None) -> list[Guess]:
    guesses = []
    for raw in sample.frame:
        hints = Hints(
            target=raw.name == target,
            time=raw.name == time,
            image=raw.name == sample.source.images,
            strings=raw.name in sample.strings,
            decimal=sample.decimal,
        )
        guess = guess_kind(raw, hints)
        if raw.name == key and guess.column.kind not in (Kind.ID, Kind.TIME):
            column = Column(raw.name, Kind.ID, missing=guess.column.missing, strip=guess.column.strip)
            guess = Guess(column, f"the key; {guess.reason}")
        guesses.append(guess)
    return guesses


def _typed(sample: Sample, schema: Schema) -> pl.DataFrame:
    """The sample's rows as the schema reads them, or an error that names the rows that it cannot."""
    faults = Faults()
    columns = []
    for column in schema:
        raw = sample.frame.get_column(column.name)
        parsed = parse(raw, column, sample.decimal)
        columns.append(parsed.values.alias(column.name))
        if parsed.bad is None:
            continue
        start = 0
        for name, rows in sample.parts:
            bad = parsed.bad.slice(start, rows)
            if bad.any():
                faults.add(column.name, name, 1, raw.slice(start, rows), bad)
            start += rows
    faults.raise_any(schema)
    return pl.DataFrame(columns)


def _with_checks(column: Column, values: pl.Series, key: str | None) -> Column:
    """The column with what its values may be: what was seen, with some slack."""
    missing = values.null_count() / max(values.len(), 1)
    column = replace(
        column,
        nullable=missing > 0,
        max_missing_share=min(1.0, round(max(2 * missing, missing + 0.05), 3)) if missing > 0 else None,
    )
    if column.name == key:
        return replace(column, unique=True, severity=Severity.ERROR)
    if column.kind in (Kind.NUMBER, Kind.INTEGER):
        low, high = _range(values, whole=column.kind is Kind.INTEGER)
        return replace(column, minimum=low, maximum=high)
    if column.kind is Kind.CATEGORY:
        labels = values.drop_nulls().unique().sort().to_list()
        return replace(column, categories=tuple(labels) if 0 < len(labels) <= _MOST_CATEGORIES else None)
    return column


def _range(values: pl.Series, *, whole: bool) -> tuple[float | None, float | None]:
    """The range seen, a tenth wider on each side, but never past zero.

    Whole numbers of which each in the range was seen (months, hours, ratings) get no slack.
    """
    low, high = values.min(), values.max()
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None, None
    slack = (high - low) * _SLACK
    if not math.isfinite(slack) or (whole and high - low < max(1 / _SLACK, values.drop_nulls().n_unique())):
        return low, high
    wide = low - slack if low < 0 else max(0.0, low - slack)
    broad = high + slack if high > 0 else min(0.0, high + slack)
    if whole:
        return max(math.ceil(wide), -(2**63)), min(math.floor(broad), 2**63 - 1)
    return min(_short(wide), low), max(_short(broad), high)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _check_classes(present: pl.Series, task: Task, complete: bool) -> None:
    if not task.is_classification or not complete:
        return
    counts = present.alias("value").value_counts(sort=True)
    single = [str(value) for value, count in counts.iter_rows() if count == 1]
    if single:
        raise TargetError(
            f"the target {present.name!r} has one row only of the class {single[0]!r}"
            + (f" and of {len(single) - 1} others" if len(single) > 1 else ""),
            cure="give more rows of it, or take it out: one row cannot be both trained on and judged by",
            where={"column": present.name},
        )
