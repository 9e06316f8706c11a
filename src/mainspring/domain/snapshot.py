"""An immutable, content-hashed version of a source."""

from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.ids import digest_json


@dataclass(frozen=True, slots=True)
class SourcePart:
    """One file of a source (or the whole result of a query): its name for people, its digest for identity."""

    name: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a Delta table that holds a source's rows as they were.

    Attributes:
        id: `snapshot_id(...)` of the content.
        source: the source's locations, for people.
        table: the table's place relative to the workspace's tables.
        version: the Delta version whose rows these are, in order.
        parent: the snapshot that this one appends to, or `None` for a new base.
    """

    id: str
    source: str
    table: str
    version: int
    rows: int
    parts: tuple[SourcePart, ...]
    columns: tuple[tuple[str, str], ...]  # name, kind
    created_at: datetime
    parent: str | None = None


def snapshot_id(reading_digest: str, read_options: dict[str, object], part_digests: list[str]) -> str:
    """SHA-256 of schema, read options and ordered part digests: the same content, the same id.

    Names and times of files do not matter, their order does.
    """
    return digest_json({"schema": reading_digest, "options": read_options, "parts": part_digests})
