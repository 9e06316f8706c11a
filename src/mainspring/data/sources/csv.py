"""CSV files: read as text, in order, a block at a time.

Arrow's reader is the one that tells a quoted empty field from an absent one; Polars and pandas read both alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from mainspring.data.columns import columns_of
from mainspring.data.sources.csv_blocks import whole_records
from mainspring.data.sources.csv_dialect import Dialect, find_dialect
from mainspring.data.sources.decoding import TextFile
from mainspring.data.sources.part import Batch, SourceFile
from mainspring.domain.source import Source
from mainspring.errors import SourceFormatError


class CsvPart:
    """A CSV file, compressed or not.

    Args:
        source: its declared options stand; the rest is found out from the file.
    """

    typed = False

    def __init__(self, file: SourceFile, source: Source) -> None:
        self._file = file
        self._source = source

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def decimal(self) -> str:
        return self.dialect.decimal

    @cached_property
    def dialect(self) -> Dialect:
        return find_dialect(self._file, self._source)

    def columns(self) -> tuple[str, ...]:
        return self.dialect.names

    def digest(self) -> str:
        return self._file.digest()

    def close(self) -> None:
        pass

    def batches(self, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """See `Part.batches`.

        Raises:
            SourceFormatError: a row with more or fewer fields than the header, an endless field, no rows.
        """
        names = self.columns()
        wanted = [name for name in names if columns is None or name in columns]
        rows = 0
        with self._file.unchanged(), TextFile(self._file, self.dialect.encoding) as stream:
            for number, block in enumerate(whole_records(stream, self.dialect, self.name)):
                table = self._parse(block, names, wanted, header=number == 0, before=rows)
                rows += table.num_rows
                for start in range(0, table.num_rows, batch_rows):
                    piece = table.slice(start, batch_rows)
                    yield Batch(columns_of(pl.DataFrame(piece), wanted), piece.num_rows)
        if not rows:
            raise SourceFormatError(
                f"{self.name} has a header but no rows", cure="give a file with rows", where={"file": self.name}
            )

    def _parse(
        self, block: bytes, names: Sequence[str], wanted: Sequence[str], *, header: bool, before: int
    ) -> pa.Table:
        ragged: list[pa_csv.InvalidRow] = []

        def refuse(row: pa_csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        dialect = self.dialect
        try:
            return pa_csv.read_csv(
                pa.BufferReader(block),
                read_options=pa_csv.ReadOptions(
                    column_names=list(names),
                    skip_rows_after_names=int(header),
                    use_threads=False,
                    block_size=len(block) + 1,
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=dialect.delimiter,
                    quote_char=dialect.quote or False,
                    newlines_in_values=bool(dialect.quote),
                    invalid_row_handler=refuse,
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types={name: pa.large_string() for name in names},
                    include_columns=list(wanted) or [names[0]],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                    check_utf8=False,  # the stream has made sure
                ),
            )
        except pa.ArrowInvalid as error:
            if not ragged:
                raise SourceFormatError(
                    f"{self.name} cannot be read as CSV after row {before:,}: {error}",
                    cure="mend that place",
                    where={"file": self.name, "row": before + 1},
                ) from error
            row = ragged[0]
            number = before + row.number - int(header)
            raise SourceFormatError(
                f"{self.name}: row {number:,} has {row.actual_columns} fields, and the header has "
                f"{row.expected_columns}",
                cure=f"mend that row: a field that holds the delimiter {dialect.delimiter!r} must stand in quotes",
                where={"file": self.name, "row": number},
            ) from error
