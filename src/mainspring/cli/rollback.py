"""`mainspring rollback`: back to the champion before this one."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def rollback(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose last promotion is undone.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")] = "by hand",
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the gateway's workers.")
    ] = 30.0,
) -> None:
    """Make the previous champion the champion again.

    In the middle of a rollout: take the canary's traffic from the challenger, or bring back the champion that the
    new one is being watched against.
    """
    from mainspring.cli.promotion import tell_promotion
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.by_hand import rollback as roll_back

    with session.workspace() as workspace:
        name = ReleaseRef.parse(model).model
        made, generation, followed = roll_back(
            workspace, name, actor=session.actor, reason=reason, wait_seconds=wait
        )
        tell_promotion(session, workspace, made, generation, followed=followed, wait=wait)
