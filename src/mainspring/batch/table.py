"""A table of the user's → the rows that a release is asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mainspring.batch.scoring import ScoreJob, ScoreResult, Watcher, score
from mainspring.batch.view_features import Finder, ViewStores, finder, keys_of
from mainspring.data.reading import read_batches
from mainspring.data.schema_file import read_schema
from mainspring.data.sources.locating import locate
from mainspring.data.sources.opening import open_source
from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.release.runtimes.base import Runtime

BATCH_ROWS = 75_000  # keeps a part, its text and its answers in some tens of megabytes


def score_table(
    manifest: Manifest,
    runtime: Runtime,
    inputs: Sequence[str],
    output: str,
    *,
    schema_file: Path,
    root: Path,
    keep_columns: bool,
    threads: int,
    environ: Mapping[str, str],
    stores: ViewStores,
    batch_rows: int = BATCH_ROWS,
    watcher: Watcher | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> ScoreResult:
    """Score files (or a Delta table) into the output.

    Args:
        inputs: paths or globs; columns that the release does not know are ignored, or kept as they are. Features
            of views may be absent where their keys are there.
        schema_file: the release's sealed `schema.toml`; says how key and kept columns are read. An adopted
            release has none.
        root: to which relative inputs are relative.
        keep_columns: whether the output has all of the input's columns.
        threads: parts in work at a time.
        stores: where features of views are found.
        watcher: as `score` takes it.

    Raises:
        SourceNotFound, SourceFormatError, ValueParseError: the input is not what it should be.
        UsageError: the output's name tells no format, or a view is not there as the release takes it.
        StoreError: the online store does not answer; the parts that are done are kept for the next attempt.
    """
    source = Source(tuple(inputs))
    names = _columns_of(source, root, environ)
    found = _finder(manifest, source, root, environ, stores)
    schema = _schema(manifest, schema_file, names if keep_columns else (), found)
    key = manifest.key if manifest.key is not None and manifest.key in names else None
    if key is None:
        schema = Schema(tuple(column for column in schema if column.name != manifest.key))
    job = ScoreJob(
        batches=lambda: read_batches(source, schema, root, batch_rows=batch_rows, environ=environ, sealed=True),
        identity={
            "files": _identity(source, root),
            "rows": batch_rows,
            **({"views": found.identity} if found is not None else {}),
        },
        output=output,
        keep=tuple(names) if keep_columns else (),
        key=key,
        threads=threads,
        completed=found or (lambda rows: rows),
    )
    return score(job, manifest, runtime, watcher=watcher, on_rows=on_rows)


def _columns_of(source: Source, root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that every part has; of parts that tell none beforehand (JSON lines) none."""
    with open_source(source, root, environ) as parts:
        common: tuple[str, ...] | None = None
        for part in parts:
            names = part.columns() or ()
            common = names if common is None else tuple(name for name in common if name in names)
    return common or ()


def _finder(
    manifest: Manifest, source: Source, root: Path, environ: Mapping[str, str], stores: ViewStores
) -> Finder | None:
    """Finds the features of views that the files lack."""
    if not manifest.views:
        return None
    wanted = {manifest.time} if manifest.time is not None else set()
    for view in manifest.views:
        wanted.update(view.features.values(), (key.name for key in view.keys))
    there = _given(source, root, environ, wanted)
    return finder(manifest, there, ", ".join(source.locations), stores)


def _given(source: Source, root: Path, environ: Mapping[str, str], names: Collection[str]) -> set[str]:
    """Of these columns those that some part has; JSON lines, whose rows name their own, are read through."""
    found: set[str] = set()
    with open_source(source, root, environ) as parts:
        for part in parts:
            columns = part.columns()
            if columns is not None:
                found.update(columns)
                continue
            for batch in part.batches(BATCH_ROWS, tuple(names)):
                found.update(batch.frame.columns)
    return found.intersection(names)


def _schema(manifest: Manifest, schema_file: Path, kept: Sequence[str], found: Finder | None) -> Schema:
    """The release's inputs as it knows them or what they are found by, its key, and what is kept; of the latter
    the unknown as text.
    """
    known = {column.name: column for column in read_schema(schema_file)} if schema_file.exists() else {}
    columns = {field.name: column_of(field) for field in manifest.inputs}
    if found is not None:
        for one in found.lacking:
            for name in one.columns:
                del columns[name]
        for key in keys_of(found):
            columns.setdefault(key.name, column_of(key))
        if found.time is not None:
            columns.setdefault(found.time, known[found.time])
    for name in (*((manifest.key,) if manifest.key else ()), *kept):
        columns.setdefault(name, known.get(name, Column(name, Kind.TEXT)))
    return Schema(tuple(replace(column, categories=None) for column in columns.values()))


def column_of(field: InputField) -> Column:
    """How the text of an input is read, as at training."""
    return Column(
        field.name,
        field.kind,
        missing=field.missing,
        strip=field.strip,
        time_format=field.time_format,
        true=field.true,
        false=field.false,
    )


def _identity(source: Source, root: Path) -> list[list[object]]:
    """Names, sizes and times of the files: what says that it is the same input as a killed attempt's."""
    found = []
    for file in locate(source, root):
        facts = file.path.stat()
        found.append([file.name, facts.st_size, facts.st_mtime_ns])
    return found
