"""`mainspring promote`: make a release the champion by hand."""

from typing import Annotated

import typer

from mainspring.cli.session import Session


def promote(
    session: Session,
    release: Annotated[str, typer.Argument(metavar="MODEL@N", help="The release that shall answer.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")] = "by hand",
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the gateway's workers.")
    ] = 30.0,
) -> None:
    """Make a release the champion.

    Also in the middle of its rollout, whatever the evidence says: it is then watched for the bake time, and
    promoting it once more ends that. The rollout of any other release ends. Returns when every live gateway
    worker answers by it.
    """
    from mainspring.cli.promotion import tell_promotion
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.by_hand import promote as promote_release

    with session.workspace() as workspace:
        record = workspace.catalogue.find(ReleaseRef.parse(release))
        made, generation, followed = promote_release(
            workspace, record, actor=session.actor, reason=reason, wait_seconds=wait
        )
        tell_promotion(session, workspace, made, generation, followed=followed, wait=wait)
