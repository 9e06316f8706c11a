"""The routing table: the file through which the parent tells its workers which releases answer."""

from pathlib import Path

import msgspec

from mainspring.errors import StoreError
from mainspring.stores.atomic import write_atomic


class Target(msgspec.Struct, frozen=True):
    """One release that workers may serve.

    Attributes:
        folder: the release folder.
        digest: SHA-256 of its manifest as it was promoted.
    """

    model: str
    number: int
    folder: str
    digest: str

    @property
    def ref(self) -> str:
        return f"{self.model}@{self.number}"


class Refusal(msgspec.Struct, frozen=True):
    """A promoted release that is not served, and why."""

    ref: str
    reason: str


class Table(msgspec.Struct, frozen=True):
    """Which release answers for each model, at one generation of the routes.

    Attributes:
        champions: one for each model that has one that holds.
        known: the other releases, which a request may name.
        refused: promoted releases that did not pass the parent's check.
        challengers: the number of the challenger, by model.
    """

    generation: int
    champions: tuple[Target, ...] = ()
    known: tuple[Target, ...] = ()
    refused: tuple[Refusal, ...] = ()
    challengers: dict[str, int] = {}


def write_table(path: Path, table: Table) -> None:
    """Replace the file in one step."""
    write_atomic(path, msgspec.json.encode(table), role="the gateway's routing table")


def read_table(path: Path) -> Table | None:
    """The table, or `None` where none was written yet.

    Raises:
        StoreError: the file is none of ours.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Table)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(
            f"the gateway's routing table cannot be read: {error}", cure="restart the gateway"
        ) from error
