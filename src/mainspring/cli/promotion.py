"""What `promote` and `rollback` say of a change of champion."""

from typing import TYPE_CHECKING, Any

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.rollout.by_hand import Promotion
    from mainspring.workspace import Workspace


def tell_promotion(
    session: Session, workspace: "Workspace", made: "Promotion", generation: int, *, followed: bool, wait: float
) -> None:
    """Tell how it went, and the tracking store of it."""
    from mainspring.cli.rollout_report import rollout_document, tell_rollout

    record, output = made.champion, session.output
    workers = workspace.records.workers()
    before = f"{record.model}@{made.before}" if made.before is not None else None
    document: dict[str, Any] = {
        "model": record.model,
        "champion": str(record.ref),
        "before": before,
        "generation": generation,
        "workers": len(workers),
        "acknowledged": followed,
    }
    if made.rollout is not None:
        document["rollout"] = rollout_document(made.rollout)
    output.document(document)
    if before == str(record.ref):
        output.line(f"{record.ref} is the champion{'' if made.rollout is not None else ' already'}.")
    else:
        output.line(f"{record.ref} is the champion{f'; before it was {before}' if before is not None else ''}.")
    if made.rollout is not None:
        tell_rollout(session, made.rollout)
    if not workers:
        output.line("No gateway is running; the next one will answer by it.")
    elif followed:
        output.line(f"Every gateway worker ({len(workers)}) answers by it.")
    else:
        output.note(f"Not every gateway worker has taken it over within {wait:g} s; see mainspring status")
    _mirror(session, workspace, made)


def _mirror(session: Session, workspace: "Workspace", made: "Promotion") -> None:
    from mainspring.errors import MainspringError
    from mainspring.loop.rollout.promotion import mirror_champion

    try:
        mirror_champion(workspace.tracking, made.champion)
    except MainspringError as error:  # the registry in MLflow is a mirror: ours is the truth, and it is changed
        session.output.note(f"MLflow's registry was not told: {error}")
