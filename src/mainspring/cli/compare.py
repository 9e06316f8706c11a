"""`mainspring compare`: two releases, the arms of an A/B test, or what a test would need."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mainspring.cli.session import Session
from mainspring.errors import UsageError


def compare(
    session: Session,
    a: Annotated[
        str | None, typer.Argument(metavar="A", help="A release, e.g. adult@3; of a model alone the champion.")
    ] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="The release that may be better.")] = None,
    arms: Annotated[bool, typer.Option("--arms", help="Analyse the newest A/B test of the model A.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="With --arms: only answers from then on, e.g. 7d, 2026-03-01.")
    ] = None,
    power: Annotated[bool, typer.Option("--power", help="Say how many requests a test needs.")] = False,
    base: Annotated[
        str | None, typer.Option(metavar="SHARE", help="With --power: the share to be raised, as it is, e.g. 5%.")
    ] = None,
    mean: Annotated[
        float | None, typer.Option(metavar="X", help="With --power: the mean to be raised, as it is.")
    ] = None,
    sd: Annotated[
        float | None, typer.Option(metavar="X", help="With --power: the standard deviation of a request's figure.")
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(metavar="X", help="With --power: the rise to be found; 0.005, or 10% of what it is now."),
    ] = None,
    requests: Annotated[
        float | None, typer.Option(metavar="N", help="With --power: so many; which rise would they show?")
    ] = None,
    per_day: Annotated[
        float | None, typer.Option("--per-day", metavar="N", help="With --power: requests a day, for the days.")
    ] = None,
    shares: Annotated[
        str, typer.Option(metavar="LIST", help="With --power: of the requests for each arm, the control first.")
    ] = "50%,50%",
    alpha: Annotated[
        float, typer.Option(metavar="P", help="With --power: the chance to find a rise where there is none.")
    ] = 0.05,
    chance: Annotated[
        float, typer.Option(metavar="P", help="With --power: the chance to find the rise where it is there.")
    ] = 0.8,
) -> None:
    """Compare two releases, or the arms of an A/B test; or say what a test needs.

    A B: on rows that neither has seen. MODEL --arms: by what was answered and what came of it; the intervals
    hold however often one looks. --power: before a test, how many requests it takes.
    """
    from mainspring.cli.compare_arms import show_arms
    from mainspring.cli.compare_power import Wanted, show_power

    if arms and power:
        raise UsageError("--arms and --power do not go together", cure="leave one of them out")
    if since is not None and not arms:
        raise UsageError("--since goes with --arms only", cure="add --arms, or leave it out")
    if power:
        if a is not None:
            raise UsageError("--power needs no release", cure="leave it out")
        show_power(
            session.output,
            Wanted(
                base=base,
                mean=mean,
                sd=sd,
                effect=effect,
                requests=requests,
                per_day=per_day,
                shares=shares,
                alpha=alpha,
                chance=chance,
            ),
        )
        return
    if any(given is not None for given in (base, mean, sd, effect, requests, per_day)):
        raise UsageError("what a test needs is told with --power only", cure="add --power")
    if arms:
        if a is None or b is not None:
            raise UsageError("--arms takes one model", cure="write: mainspring compare MODEL --arms")
        show_arms(session, a, since)
        return
    if a is None or b is None:
        raise UsageError("two releases are compared", cure="write e.g.: mainspring compare adult@3 adult@4")
    _releases(session, a, b)


def _releases(session: Session, a: str, b: str) -> None:
    from mainspring.cli.views import interval
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.releases.comparison import compare as compare_releases

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
