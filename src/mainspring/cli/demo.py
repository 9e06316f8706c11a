"""`mainspring demo`: the whole loop on made-up data, in a folder to play with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.output import Output
from mainspring.cli.session import Session
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.demo.story import Story


def demo(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the demo's project goes.")] = Path(
        "mainspring-demo"
    ),
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long the run searches; 45s if not given.")
    ] = None,
    impressions: Annotated[
        int, typer.Option(min=2_000, max=5_000_000, metavar="N", help="How many impressions to simulate.")
    ] = 60_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the simulation.")] = 7,
) -> None:
    """See the whole loop at work on made-up data.

    An advertising agency with a known click law: simulate, run, serve, predict over HTTP, reproduce. It takes at
    most three minutes and leaves a project to play with.
    """
    from mainspring.cli.run_progress import RunProgress
    from mainspring.clock import SYSTEM_CLOCK
    from mainspring.demo.story import tell
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
            environ=session.environ,
            clock=SYSTEM_CLOCK,
            progress=progress,
            say=progress.say,
        )
    _document(output, story)
    _tell(output, story)


def _document(output: Output, story: "Story") -> None:
    from mainspring.cli.views import release_of

    output.document(
        {
            "project": story.folder,
            "impressions": story.impressions,
            "best_auc": story.best_auc,
            "release": release_of(story.manifest),
            "auctions": story.auctions,
            "uplift": story.auctions.uplift,
            "possible_uplift": story.auctions.possible,
            "reproduced": story.reproduction.holds,
            "seconds": story.seconds,
        }
    )


def _tell(output: Output, story: "Story") -> None:
    from mainspring.cli.views import interval

    auctions, manifest = story.auctions, story.manifest
    assert manifest.training is not None
    candidate, trials = manifest.training.candidate, manifest.training.trials
    rows = [
        ("simulate", f"{story.impressions:,} impressions in {story.folder}/data, 60 banners"),
        ("run", f"{manifest.ref}: {candidate}, the best of {trials} trials"),
        ("", f"ROC AUC {interval(manifest.metrics['roc_auc'])} on the newest fifth of the rows"),
        ("", f"the law itself, which no model can beat, has {story.best_auc:.3f}"),
        ("", f"{manifest.runtime.kind}: {manifest.runtime.reason}"),
        (
            "serve",
            f"{auctions.requests} requests, {auctions.predictions:,} predictions, "
            f"{auctions.milliseconds:.1f} ms a request",
        ),
        (
            "",
            f"choosing ads by it gets {auctions.chosen:.1%} clicks instead of {auctions.random:.1%} by chance: "
            f"{auctions.uplift:+.0%} (the law itself would get {auctions.possible:+.0%})",
        ),
        (
            "reproduce",
            "fitted again from its records: the same predictions, bit for bit"
            if story.reproduction.holds
            else "differs: " + "; ".join(story.reproduction.differences),
        ),
    ]
    output.table(
        ["step", "what happened", "seconds"],
        [[step, words, f"{story.seconds[step]:.1f}" if step else ""] for step, words in rows],
        title="What the demo did",
        right=["seconds"],
    )
    output.line(f"Try next:  cd {story.folder}")
    card = f".mainspring/releases/{manifest.model}/{manifest.number}/MODEL_CARD.md"
    for command, why in {
        "mainspring status": "what answers now",
        f"mainspring show {manifest.ref}": "everything about the release",
        f"less {card}": "its model card",
        "mainspring serve": "answer requests; /openapi.json says what they look like",
        "mainspring run": "a second release, judged against the first (edit model.py before)",
    }.items():
        output.line(f"  {command:<57} {why}")
