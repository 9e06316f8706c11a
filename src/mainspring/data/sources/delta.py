"""A Delta table as a source: each of its data files is a part, in the order in which they were added."""

from __future__ import annotations

from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from mainspring.data.sources.parquet import ParquetPart
from mainspring.data.sources.part import SourceFile
from mainspring.errors import SourceFormatError

_UNSUPPORTED = ("deletionVectors", "columnMapping")


def delta_parts(folder: SourceFile) -> list[ParquetPart]:
    """The files of the newest version of a table.

    Raises:
        SourceFormatError: it has no rows, cannot be opened, or uses a feature that hides rows or renames columns.
    """
    try:
        table = DeltaTable(str(folder.path))
        features = table.protocol().reader_features or []
        actions = pa.table(table.get_add_actions(flatten=True))
        types = pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema
    except DeltaError as error:
        raise SourceFormatError(
            f"{folder.name} cannot be read as a Delta table: {str(error).splitlines()[0]}",
            cure="check the table with the tool that wrote it",
            where={"file": folder.name},
        ) from error
    if hidden := [feature for feature in _UNSUPPORTED if feature in features]:
        raise SourceFormatError(
            f"the Delta table {folder.name} uses {' and '.join(hidden)}, which cannot be read",
            cure="copy it to a table without them (e.g. with CREATE TABLE … AS SELECT)",
            where={"file": folder.name},
        )
    if not actions.num_rows:
        raise SourceFormatError(
            f"the Delta table {folder.name} has no rows", cure="give one with rows", where={"file": folder.name}
        )
    partitions = [name for name in actions.column_names if name.startswith("partition.")]
    parts = []
    for row in sorted(actions.to_pylist(), key=lambda row: (row["modification_time"], row["path"])):
        path = unquote(row["path"])
        constants = {
            name.removeprefix("partition."): pl.Series([row[name]]).cast(types[name.removeprefix("partition.")])
            for name in partitions
        }
        file = SourceFile(folder.path / path, f"{folder.name.rstrip('/')}/{path}")
        parts.append(ParquetPart(file, constants))
    return parts
