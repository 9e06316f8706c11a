"""Snapshots of what production has taught: predictions whose truth is known, as rows of the source.

They are kept in a table that grows: at each taking only what the logs have brought since the last one is read, and
only rows that are new, or that say something else than before (a corrected label), are written. How far the logs
were read stands in the very rows that were written, so that a taking that was killed begins again where the last
whole one ended. A snapshot is a version of that table; its id is the digest of the rows that hold in it (see
`data.labelled_rows`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from mainspring.data.labelled_rows import (
    ANSWERED,
    ANSWERS,
    DIGEST,
    HIDDEN,
    IDENTITY,
    LABELS,
    UNTIL,
    WITHDRAWN,
    content_digest,
    holding_rows,
    written,
)
from mainspring.data.parsing import DTYPES
from mainspring.data.predictions import predictions
from mainspring.data.snapshots import ROW
from mainspring.domain.finding import Finding
from mainspring.domain.ids import digest_json
from mainspring.domain.input_columns import input_columns
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role, labels_table, predictions_table
from mainspring.domain.release import ReleaseRef
from mainspring.domain.schema import Severity
from mainspring.domain.snapshot import Snapshot, SourcePart
from mainspring.errors import HistoryGone, MainspringError
from mainspring.loop.lifecycle.labelled_answers import Shape, answers_as_rows, why_unusable
from mainspring.training.stable_hash import hash_rows
from mainspring.workspace import Workspace

_LOGGED = ("id", "key", "at", "release", "label", "label_value", "label_at")


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a taking gave.

    Attributes:
        snapshot: `None` where nothing can be learnt from production, or nothing yet.
        findings: answers that cannot be learnt from, and why.
    """

    snapshot: Snapshot | None
    findings: tuple[Finding, ...] = field(default=())


def take_labelled(workspace: Workspace, model: str, shape: Shape, *, until: datetime | None = None) -> Labelled:
    """The snapshot of a model's labelled predictions as they are now; the same rows give the one that is there.

    Args:
        until: answers given from then on are too young: where a yes is known sooner than a no, the young ones
            whose truth is known already are mostly yes.

    Raises:
        StoreError: the tables cannot be read or written.
    """
    tables = workspace.tables
    if not (tables.exists(predictions_table(model)) and tables.exists(labels_table(model))):
        return Labelled(None)
    table = f"labelled/{model}/{digest_json(shape.identity())[:24]}"
    base = _Base.of(tables, table)
    logs = {LABELS: tables.version(labels_table(model)), ANSWERS: tables.version(predictions_table(model))}
    affected = None if base is None else _affected(tables, model, base, until)
    found, findings = _known_rows(workspace, model, shape, affected, until)
    if base is not None and affected is not None:
        found = pl.concat([base.changes(found), base.withdrawn(found, affected)])
    if found.height:
        rows = written(found, 0 if base is None else base.rows.height, logs, until)
        write = tables.create if base is None else tables.append
        # What is written after what, so that a repeated write is known as one.
        transaction = digest_json([None if base is None else base.version, content_digest(found)])
        write(table, rows.to_arrow(compat_level=pl.CompatLevel.oldest()), transaction=transaction)
        base = _Base.of(tables, table)
    if base is None or not base.holding.height:
        return Labelled(None, findings)
    return Labelled(_snapshot(workspace, model, table, base, shape), findings)


@dataclass(frozen=True, slots=True)
class _Base:
    """A version of the table."""

    version: int
    rows: pl.DataFrame
    holding: pl.DataFrame

    @classmethod
    def of(cls, tables: Tables, table: str) -> _Base | None:
        if not tables.exists(table):
            return None
        version = tables.version(table)
        rows: pl.DataFrame = tables.scan(table, version).collect()
        return cls(version, rows, holding_rows(rows))

    def read_up_to(self, log: str) -> int:
        return int(self.rows.get_column(log).max() or 0)  # type: ignore[arg-type]

    def read_until(self) -> datetime | None:
        """From when on the answers were too young, when last something was written."""
        newest = self.rows.sort(ROW).get_column(UNTIL)
        found: datetime | None = newest[-1]
        return found

    def changes(self, found: pl.DataFrame) -> pl.DataFrame:
        """The rows among these that the version does not have so."""
        known = self.holding.select(IDENTITY, pl.col(DIGEST).alias("__known"))
        beside = found.join(known, on=IDENTITY, how="left", maintain_order="left")
        return beside.filter(pl.col(DIGEST).ne_missing(pl.col("__known"))).drop("__known")

    def withdrawn(self, found: pl.DataFrame, affected: pl.DataFrame) -> pl.DataFrame:
        """The rows of the version about which nothing is known any more; those whose answers are gone stay."""
        asked = affected.select(_identity()).unique()
        gone = self.holding.join(asked, on=IDENTITY, how="semi").join(found, on=IDENTITY, how="anti")
        return gone.select(found.columns).with_columns(pl.lit(value=True).alias(WITHDRAWN))


def _affected(tables: Tables, model: str, base: _Base, until: datetime | None) -> pl.DataFrame:
    """The answers (`id`, `key`, `at`) that may say something else than in the version."""
    live = pl.col("role") != Role.SHADOW
    log: pl.LazyFrame = tables.scan(predictions_table(model)).filter(live).select("id", "key", "at")
    log = log if until is None else log.filter(pl.col("at") < until)
    try:
        labels, _ = tables.added(labels_table(model), base.read_up_to(LABELS))
        answers, _ = tables.added(predictions_table(model), base.read_up_to(ANSWERS))
    except HistoryGone:
        return log.collect()
    said = labels.select("prediction_id", "key").unique().collect()
    fresh = answers.filter(live).select("id").unique().collect()
    ids = pl.concat([said.get_column("prediction_id"), fresh.get_column("id").alias("prediction_id")])
    is_touched = _one_of("id", ids) | _one_of("key", said.get_column("key"))
    if (young := base.read_until()) is not None:
        is_touched |= pl.col("at") >= young
    touched = log.filter(is_touched).collect()
    # Of the answers about one key one is learnt from: which one it is depends on all of them.
    siblings = log.filter(_one_of("key", touched.get_column("key"))).collect()
    return pl.concat([touched, siblings]).unique()


def _one_of(column: str, values: pl.Series) -> pl.Expr:
    hashes = values.drop_nulls().unique().hash()
    return pl.col(column).is_not_null() & pl.col(column).hash().is_in(hashes.implode())


def _known_rows(
    workspace: Workspace, model: str, shape: Shape, affected: pl.DataFrame | None, until: datetime | None
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """One row for each identity among these answers (`None`: all) of which the truth is known."""
    tables = workspace.tables
    since: datetime | None = None
    if affected is not None:
        if not affected.height:
            return _no_rows(shape), ()
        since = affected.get_column("at").min()  # type: ignore[assignment]
    joined = predictions(tables, model, since=since, until=until)
    if affected is not None:
        ids, keys = affected.get_column("id"), affected.get_column("key")
        joined = joined.filter(_one_of("id", ids) | _one_of("key", keys))
    stored = tables.columns(predictions_table(model))
    inputs = [name for name in stored if name not in _LOGGED and "input_" in name]
    known = pl.col("label").is_not_null() | pl.col("label_value").is_not_null()
    answers = _one_each(joined.filter(known).select(*_LOGGED, *inputs).collect())
    found, left_out = [_no_rows(shape)], Counter[str]()
    for (number,), of_release in answers.partition_by("release", as_dict=True, maintain_order=True).items():
        rows, reasons = _of_release(workspace, ReleaseRef(model, number), of_release, shape, stored)
        left_out += reasons
        found.append(rows)
    return pl.concat(found), tuple(_left_out(reason, rows) for reason, rows in left_out.items())


def _of_release(
    workspace: Workspace, ref: ReleaseRef, answers: pl.DataFrame, shape: Shape, stored: Mapping[str, str]
) -> tuple[pl.DataFrame, Counter[str]]:
    """The rows that one release's answers are, and how many are none, by reason."""
    try:
        manifest = workspace.catalogue.manifest(workspace.catalogue.find(ref))
    except MainspringError as error:
        return _no_rows(shape), Counter({error.message: answers.height})
    reason = why_unusable(manifest, shape, input_columns(stored, manifest.inputs))
    if reason is not None:
        return _no_rows(shape), Counter({reason: answers.height})
    rows = answers_as_rows(answers, manifest, shape, stored)
    whole = rows.with_columns(
        answers.get_column(IDENTITY),
        pl.lit(value=False).alias(WITHDRAWN),
        pl.Series(DIGEST, hash_rows(rows).view(np.int64)),
    )
    usable = whole.filter(rows.get_column(shape.model.target).alias("truth").is_not_null())
    lost = Counter({f"what came true is no value of {shape.model.target!r}": whole.height - usable.height})
    return usable, +lost


def _identity() -> pl.Expr:
    by_key = pl.lit("key/") + pl.col("key")
    return pl.when(pl.col("key").is_null()).then(pl.lit("id/") + pl.col("id")).otherwise(by_key).alias(IDENTITY)


def _one_each(answers: pl.DataFrame) -> pl.DataFrame:
    """Of the answers about one event the newest that was given before its truth was known, else the newest.

    What was answered after the truth was known may have been asked because of it.
    """
    late = pl.col("at") > pl.col("label_at")
    ordered = answers.with_columns(_identity(), late.fill_null(value=False).alias("__late")).sort(
        "__late", "at", "id", "release", descending=[False, True, True, True]
    )
    return ordered.unique(IDENTITY, keep="first", maintain_order=True).sort("at", IDENTITY)


def _no_rows(shape: Shape) -> pl.DataFrame:
    kinds = {column.name: DTYPES[column.kind] for column in shape.schema}
    hidden = {name: HIDDEN[name] for name in (ANSWERED, IDENTITY, WITHDRAWN, DIGEST)}
    return pl.DataFrame(schema={**kinds, **hidden})


def _left_out(reason: str, rows: int) -> Finding:
    return Finding(
        code="labelled-left-out",
        severity=Severity.WARNING,
        rows=rows,
        message=f"{rows:,} labelled answers are not learnt from: {reason}",
        cure="learn from other features, mend the column's entry in schema.toml, or set Retrain(labelled=False)",
    )


def _snapshot(workspace: Workspace, model: str, table: str, base: _Base, shape: Shape) -> Snapshot:
    digest = content_digest(base.holding)
    found = digest_json({"labelled": model, "shape": shape.identity(), "rows": digest})
    known = workspace.records.snapshot(found)
    if known is not None:
        return known
    taken = Snapshot(
        id=found,
        source=f"labelled answers of {model}",
        table=table,
        version=base.version,
        rows=base.holding.height,
        parts=(SourcePart("labelled answers", digest, base.holding.height),),
        columns=tuple((column.name, str(column.kind)) for column in shape.schema),
        created_at=workspace.clock.now(),
    )
    workspace.records.put_snapshot(taken)
    return taken
