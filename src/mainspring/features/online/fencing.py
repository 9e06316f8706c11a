"""Why a writer is turned away, whatever the store."""

from mainspring.domain.ports_features import ViewId
from mainspring.errors import StoreError, WorkspaceBusy


def overtaken(view: ViewId) -> WorkspaceBusy:
    return WorkspaceBusy(
        f"the features of {view} are being written by a materialisation that began later",
        cure="let that one finish; start this one again only if it has ended",
        where={"view": view},
    )


def emptied(view: ViewId) -> StoreError:
    return StoreError(
        f"the online store was emptied while the features of {view} were being written",
        cure="start again: what is gone is written anew",
        where={"view": view},
    )
