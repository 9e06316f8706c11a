"""What `promote` and `rollback` share: the change of champion, and which champion was before."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.cli.session import Session
from mainspring.domain.release import ReleaseRef

if TYPE_CHECKING:
    from mainspring.workspace import Workspace


def make_champion(
    session: Session, workspace: "Workspace", reference: ReleaseRef, *, reason: str, wait: float
) -> None:
    """Point the champion at the release, wait for the gateway's workers, and tell how it went."""
    from mainspring.loop import promotion

    record = workspace.catalogue.find(reference)
    before = workspace.records.find_release(ReleaseRef(record.model, alias="champion"))
    workers = workspace.records.workers()
    generation, acknowledged = promotion.make_champion(
        workspace.records, record, actor=session.actor, reason=reason, clock=workspace.clock, wait_seconds=wait
    )
    session.output.document(
        {
            "model": record.model,
            "champion": str(record.ref),
            "before": str(before.ref) if before is not None else None,
            "generation": generation,
            "workers": len(workers),
            "acknowledged": acknowledged,
        }
    )
    if before is not None and before.number == record.number:
        session.output.line(f"{record.ref} is the champion already.")
    else:
        session.output.line(
            f"{record.ref} is the champion{f'; before it was {before.ref}' if before is not None else ''}."
        )
    if not workers:
        session.output.line("No gateway is running; the next one will answer by it.")
    elif acknowledged:
        session.output.line(f"Every gateway worker ({len(workers)}) answers by it.")
    else:
        session.output.note(f"Not every gateway worker has taken it over within {wait:g} s; see mainspring status")
    _mirror(session, workspace, record)


def _mirror(session: Session, workspace: "Workspace", record: Any) -> None:
    from mainspring.errors import MainspringError
    from mainspring.loop.promotion import mirror_champion

    try:
        mirror_champion(workspace.tracking, record)
    except MainspringError as error:  # the registry in MLflow is a mirror: ours is the truth, and it is changed
        session.output.note(f"MLflow's registry was not told: {error}")


ROLLED_BACK = "rolled back"


def previous_champion(audit: Sequence[Mapping[str, Any]]) -> int | None:
    """The release that was champion before the present one, read from the audit (newest first).

    A rollback undoes a promotion, so that two of them lead two champions back, and never to one that was left.

    Examples:
        >>> changes = [(1, ""), (2, ""), (3, ""), (2, ROLLED_BACK)]
        >>> audit = [{"alias": "champion", "after": n, "reason": why} for n, why in reversed(changes)]
        >>> previous_champion(audit)
        1
    """
    stack: list[int] = []
    for change in reversed(audit):
        if change["alias"] != "champion" or change["after"] is None:
            continue
        if change["reason"].startswith(ROLLED_BACK) and len(stack) > 1 and stack[-2] == change["after"]:
            stack.pop()
        else:
            stack.append(change["after"])
    return stack[-2] if len(stack) > 1 else None
