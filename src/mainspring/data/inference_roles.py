"""Which column names a row, which says when, and which is to be predicted as what."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import polars as pl

from mainspring.data.columns import HARMLESS, values_of
from mainspring.data.inference_words import FALSE, TRUE, names_a_target, names_an_id, rank_of_time
from mainspring.domain.schema import Kind, Schema
from mainspring.domain.task import Task
from mainspring.errors import DataError, TargetError

_MOST_CLASSES = 20
_POSITIVE = TRUE | {"positive", "pos", "up", "good", "churned", "clicked", "spam", "fraud"}
_NEGATIVE = FALSE | {"negative", "neg", "down", "bad", "none", "ham"}


def find_key(frame: pl.DataFrame, schema: Schema, given: str | None) -> tuple[str | None, str]:
    """The column that names a row, and why.

    Raises:
        DataError: the given one is not there, or most of its rows repeat a value.
    """
    if given is not None:
        _require(schema, given, "key")
        twice = frame.height - values_of(frame, given).n_unique()
        if twice * 2 > frame.height:
            raise DataError(
                f"the column {given!r} is no key: of {frame.height:,} rows {twice:,} repeat a value",
                cure="name the column that names each row, or leave --key out",
                where={"column": given, "rows": twice},
            )
        return given, "named by you" + (
            f", but {twice:,} rows repeat a key" if twice else "; no value comes twice"
        )
    found = [
        column.name
        for column in schema
        if column.kind is Kind.ID
        and (names_an_id(column.name) or not counts_rows(values_of(frame, column.name)))
        and not values_of(frame, column.name).null_count()
        and values_of(frame, column.name).n_unique() == frame.height
    ]
    if not found:
        return None, "no column names each row; rows are told apart by their content"
    found.sort(key=lambda name: not names_an_id(name, strict=True))
    return found[0], "an id in every row, none twice"


def find_time(
    frame: pl.DataFrame, schema: Schema, given: str | None, target: str | None
) -> tuple[str | None, str]:
    """The column that says when a row happened, and why; a number may be named, and orders the rows as it is.

    Raises:
        DataError: the given one is not there, or holds neither times nor numbers.
    """
    if given is not None:
        _require(schema, given, "time")
        kind = schema[given].kind
        if kind not in (Kind.TIME, Kind.NUMBER, Kind.INTEGER):
            example = values_of(frame, given).drop_nulls()
            shown = f", e.g. {example[0]!r}" if example.len() else ""
            raise DataError(
                f"the column {given!r} holds no times{shown}",
                cure="name a column of dates, times or growing numbers, or leave --time out",
                where={"column": given},
            )
        return given, "named by you" + (
            "" if kind is Kind.TIME else f"; {kind}s, which order the rows as they are"
        )
    times = [
        column.name
        for column in schema
        if column.kind is Kind.TIME
        and column.name != target
        and values_of(frame, column.name).null_count() <= 0.05 * frame.height
        and values_of(frame, column.name).n_unique() > 1
    ]
    if times:
        # Of a trip's start and its end the start comes first.
        times.sort(key=lambda name: (rank_of_time(name), _middle(frame, name)))
        others = f"; {', '.join(repr(name) for name in times[1:4])} hold times too" if len(times) > 1 else ""
        return times[0], f"holds times{others}"
    rising = [
        column.name
        for column in schema
        if column.kind.is_numeric and rank_of_time(column.name) < rank_of_time("") and _rises(frame, column.name)
    ]
    if rising:
        return None, (
            f"no column holds times; the numbers of {rising[0]!r} grow from row to row: "
            f"name it with --time {rising[0]} to train on the first rows and judge on the last"
        )
    return None, "no column holds times"


def find_task(series: pl.Series, kind: Kind, given: Task | None) -> tuple[Task, str]:
    """What is to be learnt of a target without missing values, and why.

    Raises:
        TargetError: it is constant, or the given task cannot be.
    """
    name, series = series.name, series.alias(HARMLESS)
    distinct = series.n_unique()
    if distinct < 2:
        raise TargetError(
            f"the target {name!r} has the same value {series[0]!r} in all {series.len():,} rows",
            cure="name another target, or give data in which it differs",
            where={"column": name},
        )
    if kind in (Kind.TIME, Kind.IMAGE, Kind.ID):
        raise TargetError(
            f"the target {name!r} is of the kind {kind}, which cannot be predicted",
            cure="name another target",
            where={"column": name},
        )
    if given is not None:
        _check_task(series, name, kind, given, distinct)
        return given, "named by you"
    if distinct == 2:
        return Task.BINARY, f"two values: {counted(series)}"
    if kind is Kind.NUMBER:
        return Task.REGRESSION, f"numbers, {distinct:,} different ones"
    if kind is Kind.INTEGER:
        low, high = series.min(), series.max()
        consecutive = (
            isinstance(low, int) and isinstance(high, int) and high - low == distinct - 1 and low in (0, 1)
        )
        if consecutive and distinct <= _MOST_CLASSES and distinct * 10 <= series.len():
            return Task.MULTICLASS, f"{distinct} whole numbers from {low!r} to {high!r}, taken for classes"
        return Task.REGRESSION, f"whole numbers, {distinct:,} different ones"
    if distinct > max(_MOST_CLASSES, series.len() // 5):
        raise TargetError(
            f"the target {name!r} has {distinct:,} different texts in {series.len():,} rows",
            cure="name a target with fewer classes or with numbers",
            where={"column": name},
        )
    return Task.MULTICLASS, f"{distinct:,} different labels"


def find_positive(series: pl.Series) -> str:
    """The class of a binary target whose probability is asked for, as a label."""
    counts = {_label(value): count for value, count in series.alias("value").value_counts(sort=True).iter_rows()}
    labels = list(counts)  # the more frequent first
    for word in labels:
        other = labels[1 - labels.index(word)]
        if word.lower() in _POSITIVE and other.lower() not in _POSITIVE:
            return word
        if other.lower() in _NEGATIVE and word.lower() not in _NEGATIVE:
            return word
    above = [label for label in labels if label.startswith(">")]
    return above[0] if len(above) == 1 else labels[-1]


def target_candidates(
    frame: pl.DataFrame, schema: Schema, key: str | None, time: str | None
) -> tuple[tuple[str, str], ...]:
    """Columns that may be worth predicting, the likeliest first, each with the reason."""
    found: list[tuple[float, str, str]] = []
    for place, column in enumerate(schema):
        series = values_of(frame, column.name).drop_nulls()
        if (
            not series.len()
            or column.name in (key, time)
            or column.kind in (Kind.ID, Kind.TIME, Kind.IMAGE, Kind.TEXT)
        ):
            continue
        try:
            task, why = find_task(series, column.kind, None)
        except TargetError:
            continue
        last = place == len(schema.columns) - 1
        score = 4 * names_a_target(column.name) + 2 * last + (task is Task.BINARY)
        hints = [f"{task}: {why}"]
        hints += ["its name says a target"] if names_a_target(column.name) else []
        hints += ["it is the last column"] if last else []
        found.append((-score, column.name, "; ".join(hints)))
    found.sort(key=lambda each: each[0])
    return tuple((name, why) for _, name, why in found)


def find_features(
    frame: pl.DataFrame, schema: Schema, roles: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The columns to learn from, and why each other one is left out.

    Args:
        roles: column → the role that keeps it from being a feature.
    """
    left_out = dict(roles)
    for column in schema:
        if column.name in left_out:
            continue
        series = values_of(frame, column.name)
        if series.null_count() == series.len():
            left_out[column.name] = "every value is missing"
        elif series.drop_nulls().n_unique() < 2 and not series.null_count():
            left_out[column.name] = "has one value only"
        elif column.kind is Kind.ID:
            left_out[column.name] = "an id: it names things and says nothing about new ones"
        elif column.kind is Kind.IMAGE:
            left_out[column.name] = "a picture: needs a feature of its own"
        elif column.kind is Kind.TEXT:
            left_out[column.name] = "free text: name it under features together with a vectoriser in the candidate"
    return tuple(name for name in schema.names if name not in left_out), left_out


def check_target(frame: pl.DataFrame, target: str) -> pl.Series:
    """The target's values that are there.

    Raises:
        TargetError: no such column, or all of it is missing.
    """
    if target not in frame.columns:
        close = difflib.get_close_matches(target, frame.columns, n=1)
        raise TargetError(
            f"there is no column {target!r} to predict",
            cure=f"did you mean {close[0]!r}?" if close else f"name one of: {', '.join(frame.columns[:30])}",
            where={"column": target},
        )
    present = values_of(frame, target).drop_nulls()
    if not present.len():
        raise TargetError(
            f"the target {target!r} is missing in all {frame.height:,} rows",
            cure="name another target, or give rows in which it is known",
            where={"column": target},
        )
    return present.alias(target)


def counts_rows(ids: pl.Series) -> bool:
    """Whether ids are 0, 1, 2, …: a line's number, which the next file begins anew."""
    numbers = ids.cast(pl.Int64, strict=False)
    return ids.len() > 0 and numbers[0] in (0, 1) and bool((numbers.diff().drop_nulls() == 1).all())


def counted(series: pl.Series) -> str:
    """The values with their numbers of rows."""
    rows = series.alias("value").value_counts(sort=True).iter_rows()
    return ", ".join(f"{_label(value)} {count:,}" for value, count in rows)


def _check_task(series: pl.Series, name: str, kind: Kind, task: Task, distinct: int) -> None:
    wrong = None
    if task is Task.REGRESSION and not kind.is_numeric:
        wrong = f"is of the kind {kind}, and a regression needs numbers"
    if task is Task.BINARY and distinct != 2:
        wrong = f"has {distinct:,} different values, and a binary task needs two"
    if task is Task.MULTICLASS and distinct > max(1_000, series.len() // 5):
        wrong = f"has {distinct:,} different values, too many for classes"
    if wrong:
        raise TargetError(f"the target {name!r} {wrong}", cure="give another --task", where={"column": name})


def _require(schema: Schema, name: str, role: str) -> None:
    if name not in schema:
        close = difflib.get_close_matches(name, schema.names, n=1)
        listed: Sequence[str] = schema.names[:30]
        raise DataError(
            f"there is no column {name!r} for the {role}",
            cure=f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(listed)}",
            where={"column": name},
        )


def _middle(frame: pl.DataFrame, name: str) -> int:
    return int(values_of(frame, name).to_physical().mean() or 0)  # type: ignore[arg-type]


def _rises(frame: pl.DataFrame, name: str) -> bool:
    """Whether numbers grow over the rows, but for one step in a thousand."""
    series = values_of(frame, name)
    if series.null_count() or series.n_unique() < 3:
        return False
    falls = int((series.diff() < 0).sum())
    return falls * 1_000 <= series.len() and series[0] < series[-1]


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
