"""`mainspring pause`: hold a rollout where it is."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def pause(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose rollout is held.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")] = "by hand",
) -> None:
    """Hold a model's rollout where it is.

    Its traffic stays as it is, nothing moves, and no clock of it runs until `mainspring resume`.
    """
    from mainspring.cli.rollout_report import rollout_document, tell_rollout
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.by_hand import pause as pause_rollout

    with session.workspace() as workspace:
        state = pause_rollout(workspace, ReleaseRef.parse(model).model, actor=session.actor, reason=reason)
        session.output.document(rollout_document(state))
        tell_rollout(session, state)
