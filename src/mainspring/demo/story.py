"""The story of the demo: from made-up traffic to a model that answers, with what each step was worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mainspring.clock import Clock
from mainspring.demo.agency import best_auc
from mainspring.demo.auction import AuctionResult, hold_auctions
from mainspring.demo.example import copy_example
from mainspring.demo.files import found_agency, write_impressions
from mainspring.demo.gateway import gateway
from mainspring.domain.budget import Budget
from mainspring.domain.release import Manifest
from mainspring.errors import Refused
from mainspring.loop import lifecycle
from mainspring.loop.progress import Progress
from mainspring.loop.reproduction import ReproductionReport, reproduce
from mainspring.project import load_project
from mainspring.workspace import Workspace

_ADS = 60
_VISITORS = 5_000
_DAYS = 14.0
_START = datetime(2026, 1, 5, tzinfo=UTC)
_AUCTIONS = 300
_BIDDERS = 12


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        best_auc: the ROC AUC of the law itself: no model can do better.
        seconds: of each step, in order.
    """

    folder: Path
    impressions: int
    best_auc: float
    manifest: Manifest
    auctions: AuctionResult
    reproduction: ReproductionReport
    seconds: dict[str, float]


def tell(
    folder: Path,
    *,
    impressions: int,
    budget: Budget | None,
    seed: int,
    environ: Mapping[str, str],
    clock: Clock,
    progress: Progress,
    say: Callable[[str], None],
) -> Story:
    """Take the example project through the loop in `folder`.

    Args:
        budget: of the run; the project's own where not given.
        say: told each step in a sentence, as it begins.

    Raises:
        UsageError: something else is in the folder.
        Refused: a gate did not pass.
    """
    steps = _Steps(clock, say)
    steps.begin(
        "simulate",
        f"An agency with {_ADS} ads, a banner picture each, shows {impressions:,} of them to "
        f"{_VISITORS:,} visitors.",
    )
    copy_example(folder)
    data = folder / "data"
    agency = found_agency(data, ads=_ADS, visitors=_VISITORS, seed=seed)
    law = write_impressions(data / "impressions.csv", agency, impressions, start=_START, days=_DAYS, seed=seed)

    steps.begin("run", "The project learns from them who clicks on what, and has to pass its gates.")
    project = load_project(folder, environ)
    outcome = lifecycle.run(project, budget=budget or project.settings.budget, progress=progress, clock=clock)
    if outcome.error is not None:
        raise outcome.error
    manifest = outcome.manifest
    if manifest is None:
        raise Refused("the run made no release", cure="see `mainspring runs`")

    steps.begin(
        "serve", f"A gateway answers by {manifest.ref}; {_AUCTIONS} visitors come, {_BIDDERS} ads bid for each."
    )
    positive = manifest.output.positive or manifest.output.classes[-1]
    with gateway(folder, environ, clock, token=project.settings.gateway.token) as client:
        auctions = hold_auctions(
            agency,
            lambda rows: client.predict(manifest.model, rows)["predictions"],
            positive=positive,
            auctions=_AUCTIONS,
            bidders=_BIDDERS,
            seed=seed,
            clock=clock,
        )

    steps.begin("reproduce", "The release is fitted once more from its own records, to show that it can be.")
    with Workspace(project.settings, clock) as workspace:
        reproduction = reproduce(workspace, manifest.ref, environ)
    return Story(folder, impressions, best_auc(law), manifest, auctions, reproduction, steps.end())


class _Steps:
    """Says and times one step after the other."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._seconds: dict[str, float] = {}
        self._step = ""
        self._began = 0.0

    def begin(self, step: str, words: str) -> None:
        self.end()
        self._step, self._began = step, self._clock.monotonic()
        self._say(words)

    def end(self) -> dict[str, float]:
        if self._step:
            self._seconds[self._step] = self._clock.monotonic() - self._began
            self._step = ""
        return self._seconds
