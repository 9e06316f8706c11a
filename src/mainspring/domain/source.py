"""Where rows come from, as declared in `model.py`."""

from dataclasses import dataclass

from mainspring.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Source:
    """Files, a Delta table or a SQL query.

    Args:
        location: a path or glob relative to the project (`data/*.csv`, `ads.parquet`, `events.jsonl.gz`, the
            folder of a Delta table), several of them, or a SQLAlchemy URL together with `query`.
        query: the SQL query, where the location is a database URL. `$NAME` in the URL is taken from the
            environment, so that no password stands in a file.
        key: the column that names a row.
        time: the column that says when the row happened.
        images: the column that holds paths of pictures, relative to the file that names them.
        delimiter, quote, encoding, decimal: how CSV files are read; found out from the files where not given.

    Examples:
        >>> Source("data/clicks.csv", key="impression_id", time="shown_at").locations
        ('data/clicks.csv',)
    """

    location: str | tuple[str, ...] | list[str]
    query: str | None = None
    key: str | None = None
    time: str | None = None
    images: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        if not self.locations or not all(self.locations):
            raise DeclarationError("a Source has no location", cure='give a path, e.g. Source("data/*.csv")')
        if self.is_sql != (self.query is not None):
            raise DeclarationError(
                f"Source({self.locations[0]!r}) needs a database URL and a query together",
                cure='write e.g. Source("postgresql+psycopg://$DB_USER:$DB_PASSWORD@db/shop", query="select …")',
            )

    @property
    def locations(self) -> tuple[str, ...]:
        return (self.location,) if isinstance(self.location, str) else tuple(self.location)

    @property
    def is_sql(self) -> bool:
        """Whether the location is a SQLAlchemy URL (`dialect[+driver]://…`) and not a file or cloud URL."""
        scheme, separator, _ = self.locations[0].partition("://")
        return bool(separator) and scheme not in ("file", "s3", "gs", "az", "abfs", "abfss", "http", "https")

    def read_options(self) -> dict[str, object]:
        """What decides how the files are read; part of a snapshot's identity."""
        return {
            "query": self.query,
            "delimiter": self.delimiter,
            "quote": self.quote,
            "encoding": self.encoding,
            "decimal": self.decimal,
        }
