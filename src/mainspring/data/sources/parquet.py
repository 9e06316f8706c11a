"""Parquet files: values keep their own types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.data.columns import columns_of
from mainspring.data.sources.part import Batch, SourceFile, check_names, unreadable
from mainspring.domain.ids import digest_json
from mainspring.errors import SourceFormatError


class ParquetPart:
    """A Parquet file.

    Args:
        constants: columns that stand beside the file and not in it, the same for each row (the partition of a
            Delta table), by name.
    """

    typed = True
    decimal = "."

    def __init__(self, file: SourceFile, constants: Mapping[str, pl.Series] | None = None) -> None:
        self._file = file
        self._constants = dict(constants or {})

    @property
    def name(self) -> str:
        return self._file.name

    @cached_property
    def _names(self) -> tuple[str, ...]:
        with self._opened() as file:
            names = (*file.schema_arrow.names, *self._constants)
            rows = file.metadata.num_rows
        check_names(names, self.name)
        if not rows or not names:
            raise SourceFormatError(
                f"{self.name} has no rows", cure="give a file with rows", where={"file": self.name}
            )
        return names

    def columns(self) -> tuple[str, ...]:
        return self._names

    def digest(self) -> str:
        own = self._file.digest()
        if not self._constants:
            return own
        return digest_json([own, {name: str(value[0]) for name, value in self._constants.items()}])

    def close(self) -> None:
        pass

    def batches(self, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """See `Part.batches`. Raises `SourceFormatError` where the file is damaged."""
        names = [name for name in self.columns() if columns is None or name in columns]
        stored = [name for name in names if name not in self._constants]
        # A name with a dot would be taken for a nested field; reading all columns avoids the question.
        chosen = None if any("." in name for name in stored) else stored
        with self._file.unchanged(), self._opened() as file:
            try:
                for batch in file.iter_batches(batch_rows, columns=chosen):
                    frame = pl.DataFrame(batch) if batch.num_columns else pl.DataFrame()
                    beside = [
                        value.new_from_index(0, batch.num_rows).alias(name)
                        for name, value in self._constants.items()
                    ]
                    yield Batch(columns_of(frame.with_columns(beside), names), batch.num_rows)
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from error

    def _opened(self) -> Any:
        try:
            return pq.ParquetFile(self._file.path)
        except pa.ArrowException as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise (unreadable(self.name, error) if error.errno else self._damaged(error)) from error

    def _damaged(self, error: Exception) -> SourceFormatError:
        return SourceFormatError(
            f"{self.name} cannot be read as Parquet: {str(error).splitlines()[0]}",
            cure="copy it again from where it came from, or give it its proper ending",
            where={"file": self.name},
        )
