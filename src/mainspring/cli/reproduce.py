"""`mainspring reproduce`: fit a release again from what it is made of, and compare."""

from typing import Annotated

import typer

from mainspring.cli.session import Session
from mainspring.errors import NotReproduced


def reproduce(
    session: Session,
    release: Annotated[str, typer.Argument(metavar="MODEL@N", help="The release to fit again.")],
) -> None:
    """Fit a release again and compare bit for bit.

    From its snapshot, its sealed source, frozen parameters and seeds, in a clean process; the sealed model itself
    is never read. Exit code 0 only when every prediction is the same.
    """
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.releases.reproduction import reproduce as refit

    reference = ReleaseRef.parse(release)
    with session.workspace() as workspace:
        report = refit(workspace, reference, session.environ)
    session.output.document(report)
    session.output.table(
        ["compared", "rows", "the same"],
        [
            ["golden requests", f"{report.golden_rows:,}", f"{report.golden_equal:,}"],
            ["held-out rows (by digest)", f"{report.holdout_rows:,}", "all" if report.holdout_equal else "no"],
        ],
        title=f"{report.release}, fitted again",
        right=["rows", "the same"],
    )
    if report.holds:
        session.output.line("Reproduced: the same predictions, bit for bit.", style="bold green")
        return
    for difference in report.differences:
        session.output.line(f"  {difference}")
    failure = NotReproduced(
        f"{report.release} was not reproduced: its refit answers otherwise",
        cure="mend what differs (see above), e.g. install the release's requirements.lock, and try again",
        where={"release": report.release},
    )
    session.output.error(failure)
    raise typer.Exit(failure.exit_code)
