"""`mainspring resume`: let a rollout that was paused go on."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def resume(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose rollout goes on.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")] = "by hand",
) -> None:
    """Let a rollout that was paused go on, with the time of the pause left out."""
    from mainspring.cli.rollout_report import rollout_document, tell_rollout
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.by_hand import resume as resume_rollout

    with session.workspace() as workspace:
        state = resume_rollout(workspace, ReleaseRef.parse(model).model, actor=session.actor, reason=reason)
        session.output.document(rollout_document(state))
        tell_rollout(session, state)
