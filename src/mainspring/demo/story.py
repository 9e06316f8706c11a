"""The story of the demo: from made-up impressions to a model that is kept right while the world changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from mainspring.clock import Clock
from mainspring.demo.agency import Agency, best_auc
from mainspring.demo.example import copy_example
from mainspring.demo.files import found_agency, write_impressions, write_visits
from mainspring.demo.gateway import everything_up
from mainspring.demo.live import Lived, LiveStory
from mainspring.demo.traffic import Counts, Rate, Traffic
from mainspring.demo.visits import draw_visits
from mainspring.demo.waiting import Waiting
from mainspring.domain.budget import Budget
from mainspring.domain.history import Entry
from mainspring.domain.release import Manifest
from mainspring.errors import Refused, UsageError
from mainspring.loop.lifecycle import workflow as lifecycle
from mainspring.loop.lifecycle.progress import Progress
from mainspring.project import Project, load_project
from mainspring.workspace import Workspace

LOG = "up.log"
RATE = Rate(visitors=100.0, bidders=10, curious=0.2, label_seconds=4.0)
"""Labels are known within the model's `label_delay`."""
_ADS = 60
_VISITORS = 8_000
_DAYS, _BEFORE = 14, 7  # of impressions; and of visits before the first of them
_UP = 120.0  # seconds for the gateway to be ready
_MANY = 1_000  # entries of the history; the demo makes some dozens


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        best_auc: the ROC AUC of the law itself at the beginning: no model can do better.
        history: of the model, the oldest first; `history_holds` whether its chain does.
        seconds: of each chapter, in order.
    """

    folder: Path
    impressions: int
    best_auc: float
    manifest: Manifest
    lived: Lived
    counts: Counts
    history: Sequence[Entry]
    history_holds: bool
    seconds: dict[str, float]


def tell(
    folder: Path,
    *,
    impressions: int,
    budget: Budget | None,
    seed: int,
    rate: Rate,
    environ: Mapping[str, str],
    clock: Clock,
    progress: Progress,
    say: Callable[[str], None],
) -> Story:
    """Take the example project through its whole loop in `folder`.

    Args:
        budget: of the first run; the project's own where not given.
        say: told each chapter in a sentence, as it begins, and what happens in it.

    Raises:
        UsageError: something else is in the folder, or the demo has been there already.
        Refused: a gate did not pass.
        StoreError: the gateway does not come up.
    """
    chapters = _Chapters(clock, say)
    chapters.begin(
        "simulate",
        f"An agency with {_ADS} ads, a banner picture each, shows them {impressions:,} times to {_VISITORS:,} "
        "visitors, of whom it knows what they have read.",
    )
    copy_example(folder)
    project = load_project(folder, environ)
    _check_untold(project, clock)
    data = folder / "data"
    agency = found_agency(data, ads=_ADS, visitors=_VISITORS, seed=seed)
    # Up to last midnight: what a visitor read in the last days has to be known when they come.
    today = datetime.combine(clock.now().date(), time(), clock.now().tzinfo)
    start, days = today - timedelta(days=_DAYS), float(_DAYS)
    law = write_impressions(data / "impressions.csv", agency, impressions, start=start, days=days, seed=seed)
    visits = draw_visits(agency, start=start - timedelta(days=_BEFORE), days=_DAYS + _BEFORE, seed=seed)
    write_visits(data / "visits.csv", visits)

    chapters.begin("run", "The project learns from them who clicks on what, and has to pass its gates.")
    outcome = lifecycle.run(project, budget=budget or project.settings.budget, progress=progress, clock=clock)
    if outcome.error is not None:
        raise outcome.error
    if outcome.manifest is None:
        raise Refused("the run made no release", cure="see `mainspring runs`")

    lived, counts = _live(project, outcome.manifest, agency, rate, seed, environ, clock, chapters)
    with Workspace(project.settings, clock) as workspace:
        history = workspace.records.history(outcome.manifest.model, limit=_MANY)
        holds = workspace.records.verify_history() is None
    return Story(
        folder,
        impressions,
        best_auc(law),
        outcome.manifest,
        lived,
        counts,
        history[::-1],
        holds,
        chapters.end(),
    )


def _check_untold(project: Project, clock: Clock) -> None:
    """A story begins without a champion. One that was killed in its first run goes on with it."""
    with Workspace(project.settings, clock) as workspace:
        if workspace.records.routes().of(project.model.name) is not None:
            raise UsageError(
                f"the demo has been told in {project.root} already",
                cure="name another folder: mainspring demo DIR",
                where={"folder": str(project.root)},
            )


def _live(
    project: Project,
    first: Manifest,
    agency: Agency,
    rate: Rate,
    seed: int,
    environ: Mapping[str, str],
    clock: Clock,
    chapters: "_Chapters",
) -> tuple[Lived, Counts]:
    """What happens while `mainspring up` runs."""
    chapters.begin(
        "up",
        f"`mainspring up`: {first.ref} answers, {rate.visitors:g} visitors come a second, {rate.bidders} ads bid "
        "for each, and the clicks are fed back. Requests name ads and visitors; how a banner looks and what a "
        "visitor reads the gateway finds itself.",
    )
    token = project.settings.gateway.token
    log = project.root / LOG
    with (
        everything_up(project.root, environ, clock, token=token, patience=_UP, log=log) as served,
        Workspace(project.settings, clock) as workspace,
    ):
        traffic = Traffic(
            agency,
            served.client,
            first.model,
            rate,
            positive=first.output.positive or first.output.classes[-1],
            seed=seed,
            clock=clock,
        )
        live = LiveStory(
            project,
            workspace,
            agency,
            traffic,
            first.ref,
            waiting=Waiting(clock, served.is_alive),
            clock=clock,
            begin=chapters.begin,
            say=chapters.say,
        )
        with traffic:
            lived = live.tell()
        chapters.begin("end", "The last visitors have gone; everything is brought down in order.")
    return lived, traffic.counts


class _Chapters:
    """Says and times one chapter after the other."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self.say = say
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._chapter = ""
        self._began = 0.0

    def begin(self, chapter: str, words: str) -> None:
        self.end()
        self._chapter, self._began = chapter, self._clock.monotonic()
        self.say(words)

    def end(self) -> dict[str, float]:
        if self._chapter:
            self._seconds[self._chapter] = self._clock.monotonic() - self._began
            self._chapter = ""
        return self._seconds
