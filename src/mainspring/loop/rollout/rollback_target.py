"""Which release returns where the champion has to go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.domain.release import ReleaseRef
from mainspring.errors import MainspringError
from mainspring.workspace import Workspace

ROLLED_BACK = "rolled back"
"""How the reason begins of a change of champion that takes one back."""
CANNOT_RETURN = "rollback target"
"""The kind of the history's entry for a release that was to return and could not."""
_LOG = logging.getLogger("mainspring.controller")
_CHANGES = 1_000


def champions_before(audit: Sequence[Mapping[str, Any]]) -> list[int]:
    """The releases that were champion before the present one, the last first; none that was taken back.

    A rollback undoes a promotion, so that two of them lead two champions back, and never to one that was left.

    Args:
        audit: newest first.

    Examples:
        >>> changes = [(1, ""), (2, ""), (3, ""), (4, ""), (3, ROLLED_BACK)]
        >>> audit = [{"alias": "champion", "after": n, "reason": why} for n, why in reversed(changes)]
        >>> champions_before(audit)
        [2, 1]
    """
    stack: list[int] = []
    for change in reversed(audit):
        after = change["after"]
        if change["alias"] != "champion" or after is None:
            continue
        if change["reason"].startswith(ROLLED_BACK) and after in stack[:-1]:
            while stack[-1] != after:
                stack.pop()
        else:
            stack.append(after)
    return list(dict.fromkeys(number for number in reversed(stack[:-1]) if number != stack[-1]))


def good_champion(workspace: Workspace, model: str, wanted: int, *, but: int, actor: str) -> int | None:
    """The wanted release, or where that is not what was sealed, the champion before it that still is.

    Each that cannot be opened goes into the history.

    Args:
        but: the release that has to go.

    Returns:
        `None` where not one of them can be opened.
    """
    older = champions_before(workspace.records.audit(model, limit=_CHANGES))
    for number in dict.fromkeys([wanted, *older]):
        if number == but:
            continue
        try:
            with workspace.open_release(workspace.catalogue.find(ReleaseRef(model, number))):
                return number
        except MainspringError as error:
            reason = f"{model}@{number} cannot answer again: {error.message}"
            _LOG.error("%s", reason)
            workspace.records.record_event(
                model,
                CANNOT_RETURN,
                actor=actor,
                reason=reason,
                detail={"release": number, "to_go": but},
                once=f"{but}/{number}",
            )
    return None
