"""`mainspring compare`: two releases side by side, on the same rows."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mainspring.cli.session import Session


def compare(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="A", help="A release, e.g. adult@3; of a model alone the champion.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The release that may be better.")],
) -> None:
    """Compare two releases on rows that neither has seen."""
    from mainspring.cli.views import interval
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.comparison import compare as compare_releases

    output = session.output
    references = ReleaseRef.parse(a), ReleaseRef.parse(b)
    with session.workspace() as workspace:
        found = compare_releases(workspace, *references, session.environ)
    output.document(found)
    output.table(
        ["metric", f"{found.a} (own holdout)", f"{found.b} (own holdout)", f"gain of {found.b} on the same rows"],
        [
            [
                name,
                interval(one) if one is not None else "–",
                interval(other) if other is not None else "–",
                interval(found.gains[name]) if name in found.gains else "–",
            ]
            for name, (one, other) in found.metrics.items()
        ],
    )
    if found.gains:
        output.line(
            f"The gains are paired, on {found.rows:,} rows that neither has learnt from; over 0 means that "
            f"{found.b} is better."
        )
    if found.note:
        output.line(found.note)
    pairs = found.differences.items()
    if pairs:
        output.table(
            ["what differs", found.a, found.b],
            [[name, _told(one), _told(other)] for name, (one, other) in pairs],
        )
    else:
        output.line("Data, code, parameters and environment are the same.")


def _told(value: Any) -> str:
    """A fact; of an adopted release some are not known."""
    from mainspring.cli.plain import one_line
    from mainspring.cli.views import params_line

    if isinstance(value, Mapping):
        value = params_line(value)
    return "–" if value is None or value == "" else one_line(str(value), 200)
