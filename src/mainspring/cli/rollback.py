"""`mainspring rollback`: back to the champion before this one."""

from typing import Annotated

import typer

from mainspring.cli.session import Session
from mainspring.errors import UnknownRelease


def rollback(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose last promotion is undone.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")] = "by hand",
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the gateway's workers.")
    ] = 30.0,
) -> None:
    """Make the previous champion the champion again."""
    from mainspring.cli.promotion import ROLLED_BACK, make_champion, previous_champion
    from mainspring.domain.release import ReleaseRef

    with session.workspace() as workspace:
        name = ReleaseRef.parse(model).model
        before = previous_champion(workspace.records.audit(name, limit=1_000))
        if before is None:
            raise UnknownRelease(
                f"{name} had no champion before the present one",
                cure=f"see `mainspring releases {name}`, and choose one with `mainspring promote {name}@N`",
                where={"model": name},
            )
        make_champion(
            session, workspace, ReleaseRef(name, number=before), reason=f"{ROLLED_BACK}: {reason}", wait=wait
        )
