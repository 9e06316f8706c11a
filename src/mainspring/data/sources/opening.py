"""A declared source → its open parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

from mainspring.data.sources.csv import CsvPart
from mainspring.data.sources.json_lines import JsonLinesPart
from mainspring.data.sources.locating import locate
from mainspring.data.sources.parquet import ParquetPart
from mainspring.data.sources.part import Part, SourceFile, unreadable
from mainspring.domain.source import Source

_PACKING = {".gz", ".bz2", ".zst"}
_PARQUET = {".parquet", ".pq", ".parq"}
_JSON = {".jsonl", ".ndjson", ".json"}
_TEXT = {".csv", ".tsv", ".tab", ".txt", ".psv"}


@contextmanager
def open_source(source: Source, root: Path, environ: Mapping[str, str] | None = None) -> Iterator[list[Part]]:
    """The parts of a source in order: one a file, or one for a query.

    Args:
        root: the project's folder, to which locations are relative.
        environ: where `$NAME` in a database URL is taken from.

    Raises:
        SourceNotFound, SourceFormatError: see `locating` and the formats.
    """
    parts: list[Part] = []
    try:
        if source.is_sql:
            from mainspring.data.sources.sql import SqlPart

            parts.append(SqlPart(source, root, environ or {}))
        else:
            for file in locate(source, root):
                parts.extend(_parts(file, source))
        yield parts
    finally:
        for part in parts:
            part.close()


def _parts(file: SourceFile, source: Source) -> list[Part]:
    if file.path.is_dir():
        from mainspring.data.sources.delta import delta_parts

        return list(delta_parts(file))
    kind = _format(file)
    if kind == "parquet":
        return [ParquetPart(file)]
    if kind == "json":
        return [JsonLinesPart(file, source.encoding)]
    return [CsvPart(file, source)]


def _format(file: SourceFile) -> str:
    """By the ending of the name; by the first bytes where it says nothing."""
    path = PurePath(file.name)
    ending = path.suffix.lower()
    if ending in _PACKING:
        ending = PurePath(path.stem).suffix.lower()
    if ending in _PARQUET:
        return "parquet"
    if ending in _JSON:
        return "json"
    if ending in _TEXT:
        return "csv"
    try:
        with file.path.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise unreadable(file.name, error) from error
    if head.startswith(b"PAR1"):
        return "parquet"
    return "json" if head.lstrip().startswith(b"{") else "csv"
