"""The alert that says that a release that was to return could not: its files are gone, or not what was sealed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mainspring.domain.history import Entry, EntryKind
from mainspring.loop.own_alerts import LOST_TARGET, tell
from mainspring.loop.rollout.rollback_target import CANNOT_RETURN, ROLLED_BACK

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.history import Head
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace

_ENTRIES = 1_000


def could_not_return(history: Iterable[Entry]) -> list[Entry]:
    """What the history says of releases that could not return when the present champion was made, or since.

    They are told of before the rollback that passes them over. With the next champion they are of the past.

    Args:
        history: of one model, newest first.
    """
    found: list[Entry] = []
    passed = False
    for entry in history:
        if entry.kind == CANNOT_RETURN:
            found.append(entry)
        elif entry.kind == EntryKind.CHAMPION:
            if passed or not entry.reason.startswith(ROLLED_BACK):
                break
            passed = True
    return found


class LostTargets:
    """Follows one model's history, which is read again only where something was added to it."""

    def __init__(self, workspace: Workspace, model: Model) -> None:
        self._workspace = workspace
        self._model = model
        self._head: Head | None = None
        self._lost: Sequence[Entry] = ()

    def tell(self) -> list[Event]:
        """Raise the alert, or end it; says nothing where all is told.

        Raises:
            StoreError: the records cannot be read or written.
            WorkspaceBusy: another process has looked at the model meanwhile.
        """
        records = self._workspace.records
        head = records.history_head()
        if head != self._head:
            self._lost = could_not_return(records.history(self._model.name, limit=_ENTRIES))
            self._head = head
        cure = f"restore its folder, or promote another: mainspring releases {self._model.name}"
        note = f"{'; '.join(one.reason for one in self._lost)}; {cure}"
        return tell(self._workspace, self._model, LOST_TARGET, len(self._lost), bar=0, note=note)
