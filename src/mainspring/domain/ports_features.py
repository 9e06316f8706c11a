"""What an online store of features is."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mainspring.domain.materialised import Materialised

# Of a view: its name and the digest of its definition, so that two definitions never meet.
ViewId = str
# Of an entity: its key values, encoded.
EntityKey = bytes
# What is kept of one entity: all features of the view, assembled.
Vector = bytes


class OnlineStore(Protocol):
    """The newest vector of each entity of each view.

    Law: what `write` has returned from is read by every later `read`, of any process. A read sees each vector
    whole, as it was before a write or as it is after. `write` and `remove` with a fence lower than one that the
    view has seen change nothing and raise `WorkspaceBusy`: a writer that was taken for dead cannot overwrite
    its successor. Both may be repeated. Everything may be called from any thread.

    A store may be emptied from outside (a flush, a deleted file). Where a view has gone since it was last `marked`
    or written through this object, `write`, `remove` and `mark` raise `StoreError` until `marked` is asked again:
    a mark never stands for vectors that are gone. A `read` sees it within two milliseconds.

    Raises: every method raises `StoreError` where the store cannot be reached, says no or takes longer than its
        time limit, and never gives a wrong vector.
    """

    def read(self, asked: Sequence[tuple[ViewId, Sequence[EntityKey]]]) -> list[list[Vector | None]]:
        """The vectors of these entities, `None` for one that is not there; one round trip for all views."""
        ...

    def write(self, view: ViewId, vectors: Iterable[tuple[EntityKey, Vector]], *, fence: int) -> int:
        """Put vectors in place of those that are there; how many were given."""
        ...

    def remove(self, view: ViewId, keys: Iterable[EntityKey], *, fence: int) -> None:
        """Forget these entities; those that are not there do not matter."""
        ...

    def drop(self, view: ViewId) -> None:
        """Forget the view and its marks."""
        ...

    def count(self, view: ViewId) -> int:
        """How many entities the view has."""
        ...

    def mark(self, view: ViewId, mark: bytes, *, fence: int) -> None:
        """Note how far the view is materialised; durable once it returns, never before the writes ahead of it."""
        ...

    def marked(self, view: ViewId) -> bytes | None:
        """The newest mark; `None` where there is none, as after the store was flushed."""
        ...

    def close(self) -> None: ...


class FeatureRecords(Protocol):
    """The part of the records' port that concerns feature views. Law: that of `Records`."""

    def put_feature_view(self, found: "Materialised") -> None:
        """Write how far one definition of a view has come, in place of what was known of it."""
        ...

    def feature_views(self, view: str | None = None) -> Sequence["Materialised"]:
        """Every definition that may be in the online store, of this view or of all; by name, the newest first."""
        ...

    def forget_feature_view(self, view_id: ViewId) -> None: ...
