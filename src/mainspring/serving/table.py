"""The routing table: the file through which the parent tells its workers which releases answer."""

from pathlib import Path

import msgspec

from mainspring.domain.routing import Traffic
from mainspring.errors import StoreError, UsageError
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
    """A routed release that is not served, and why."""

    ref: str
    reason: str

    @property
    def model(self) -> str:
        return self.ref.partition("@")[0]


class Rules(msgspec.Struct, frozen=True):
    """What of one model's traffic goes to others than its champion, as far as those hold.

    Attributes:
        traffic: whole, so that what is refused moves nobody else's share.
        challengers: of the releases that answer, those that hold (the champion is not among them).
        shadows: of the shadows, those that hold.
        fields: what any of these releases or the champion reads; rows may carry them for all.
    """

    traffic: Traffic
    challengers: tuple[Target, ...] = ()
    shadows: tuple[Target, ...] = ()
    fields: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """Which release answers for each model, at one generation of the routes.

    Attributes:
        champions: one for each model that has one that holds.
        known: the other releases, which a request may name.
        refused: routed releases that did not pass the parent's check.
        challengers: the number of the challenger, by model.
        rules: by model, of those whose traffic is shared.
    """

    generation: int
    champions: tuple[Target, ...] = ()
    known: tuple[Target, ...] = ()
    refused: tuple[Refusal, ...] = ()
    challengers: dict[str, int] = {}
    rules: dict[str, Rules] = {}

    @property
    def models(self) -> set[str]:
        """Those that have a route, whether or not their release holds."""
        return {target.model for target in self.champions} | {refusal.model for refusal in self.refused}


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
    except (OSError, msgspec.DecodeError, UsageError) as error:
        raise StoreError(
            f"the gateway's routing table cannot be read: {error}", cure="restart the gateway"
        ) from error
