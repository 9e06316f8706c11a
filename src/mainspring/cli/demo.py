"""`mainspring demo`: the whole loop on made-up data, in a folder to play with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.demo.story import Story

_FAILED = 1


def demo(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the demo's project goes.")] = Path(
        "mainspring-demo"
    ),
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long the first run searches; 20s if not given.")
    ] = None,
    impressions: Annotated[
        int, typer.Option(min=20_000, max=5_000_000, metavar="N", help="How many impressions to simulate.")
    ] = 60_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the simulation.")] = 7,
) -> None:
    """See the whole loop at work on made-up data.

    An advertising agency with a known click law: simulate, run, up. Visitors come, and what they like changes. The
    loop notices, trains, proves and promotes by itself, and takes a faulty release back. On two quiet cores it
    takes at most five minutes, and leaves a project to play with. Exit code 1 where a step did not come in time.
    """
    from mainspring.cli.demo_summary import tell_story
    from mainspring.cli.run_progress import RunProgress
    from mainspring.clock import SYSTEM_CLOCK
    from mainspring.demo.story import RATE, tell
    from mainspring.settings import parse_budget

    output = session.output
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", cure="name a folder: mainspring demo DIR")
    with RunProgress(output) as progress:
        story = tell(
            folder,
            impressions=impressions,
            budget=parse_budget(budget, "--budget") if budget is not None else None,
            seed=seed,
            rate=RATE,
            environ=session.environ,
            clock=SYSTEM_CLOCK,
            progress=progress,
            say=progress.say,
        )
    tell_story(output, story)
    if not _went_well(story):
        raise typer.Exit(_FAILED)


def _went_well(story: "Story") -> bool:
    reproduction = story.lived.reproduction
    return (
        not story.lived.missing
        and not story.counts.failed
        and story.history_holds
        and reproduction is not None
        and reproduction.holds
    )
