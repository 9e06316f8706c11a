"""`mainspring reject`: end the rollout of a challenger."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def reject(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose challenger is rejected.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")] = "by hand",
) -> None:
    """End the rollout of a model's challenger.

    The champion answers everything again. A challenger that is champion already is taken back by
    `mainspring rollback`.
    """
    from mainspring.cli.rollout_report import rollout_document, tell_rollout
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.by_hand import reject as reject_challenger

    with session.workspace() as workspace:
        state = reject_challenger(workspace, ReleaseRef.parse(model).model, actor=session.actor, reason=reason)
        session.output.document(rollout_document(state))
        tell_rollout(session, state)
