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

    Returns when every live gateway worker answers by it.
    """
    from mainspring.cli.promotion import make_champion
    from mainspring.domain.release import ReleaseRef

    with session.workspace() as workspace:
        make_champion(session, workspace, ReleaseRef.parse(release), reason=reason, wait=wait)
