"""What each column of a source is, and what its values may be."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mainspring.domain.ids import digest_json
from mainspring.errors import DataError


class Kind(StrEnum):
    NUMBER = "number"  # 64-bit float
    INTEGER = "integer"  # 64-bit integer; may have missing values
    BOOLEAN = "boolean"
    CATEGORY = "category"  # text from a small set
    TEXT = "text"  # free text
    ID = "id"  # text that names one thing; never a feature by default
    TIME = "time"  # an instant, UTC, microseconds
    IMAGE = "image"  # the path of a picture

    @property
    def is_numeric(self) -> bool:
        return self in (Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN)


class Severity(StrEnum):
    ERROR = "error"  # stops the run before anything is registered
    WARNING = "warning"  # is recorded
    OFF = "off"


class Personal(StrEnum):
    """How a value that is a person's is kept in the prediction log."""

    HASH = "hash"  # its keyed digest: equal values stay equal, and cannot be read
    MASK = "mask"  # only that there was one
    OMIT = "omit"  # not at all


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how its text is read and what its values may be.

    The first group says how a text becomes a value (it is part of a snapshot's identity and of a release's
    input contract); the second is what validation checks.

    Attributes:
        missing: texts that mean a missing value, besides the absent one. The empty text is listed here
            where blank means missing.
        strip: whether blanks around the text are dropped before anything else.
        time_format: strptime format; `iso` for ISO 8601; `epoch_s` or `epoch_ms` for numbers.
        true, false: the spellings of a boolean.
        drop_dot: whether one dot at the end of a label is dropped (`<=50K.` is `<=50K`).
        nullable: whether a missing value is allowed at all.
        max_missing_share: above this share of missing values the check reports.
        minimum, maximum: the allowed range of a number, an integer or (as ISO text) a time.
        categories: the known values of a category; a value not among them is reported, not dropped.
        unique: no value may come twice.
        numerals: each value of a text is a whole number in plain digits (`17`, not `017`), so that a number names
            the same thing; what is not breaks an error, whatever the severity.
        freshness: for a time column, the greatest allowed age of its newest value, as a duration text.
        severity: what a broken check of this column does.
        personal: what becomes of its values before the prediction log is written; `None` keeps them.
    """

    name: str
    kind: Kind
    missing: tuple[str, ...] = ()
    strip: bool = False
    time_format: str | None = None
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    drop_dot: bool = False

    nullable: bool = True
    max_missing_share: float | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    categories: tuple[str, ...] | None = None
    unique: bool = False
    numerals: bool = False
    freshness: str | None = None
    severity: Severity = Severity.WARNING
    personal: Personal | None = None

    def reading(self) -> dict[str, object]:
        """The part of the column that decides how its text is read."""
        return {
            "name": self.name,
            "kind": str(self.kind),
            "missing": list(self.missing),
            "strip": self.strip,
            "time_format": self.time_format,
            "true": list(self.true),
            "false": list(self.false),
            "drop_dot": self.drop_dot,
        }


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a source, in order.

    Attributes:
        file: where it is written, for the cure of what breaks it.
    """

    columns: tuple[Column, ...] = field(default=())
    file: str = field(default="schema.toml", compare=False)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(
            f"there is no column {name!r}",
            cure=f"use one of: {', '.join(self.names)}",
            where={"column": name},
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def select(self, names: tuple[str, ...]) -> "Schema":
        """The schema of these columns only, in this order."""
        return Schema(tuple(self[name] for name in names), self.file)

    def with_column(self, column: Column) -> "Schema":
        """The same schema with the column of this name replaced."""
        return replace(self, columns=tuple(column if c.name == column.name else c for c in self.columns))

    def reading_digest(self) -> str:
        """SHA-256 of how text becomes values: two schemas with the same digest read a file to the same rows."""
        return digest_json([column.reading() for column in self.columns])
