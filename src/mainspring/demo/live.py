"""The loop, lived through: the taste of the visitors changes, and what answers follows it by itself.

Nothing here touches the loop. The visitors ask over HTTP, and what happens is read from the records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mainspring.clock import Clock
from mainspring.demo.agency import TURNED, Agency
from mainspring.demo.click_through import ClickThrough, click_through
from mainspring.demo.fault import export_with_a_fault, learn_from_it
from mainspring.demo.features_seen import FeaturesSeen, features_seen
from mainspring.demo.traffic import Traffic
from mainspring.demo.waiting import NotInTime, Waiting
from mainspring.domain.alert import AlertState
from mainspring.domain.release import ReleaseRef
from mainspring.domain.rollout_rules import steps_of
from mainspring.domain.rollout_state import RolloutEnd, RolloutStage, RolloutState
from mainspring.domain.run import RunState
from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.domain.alert import Alert
    from mainspring.domain.run import Run
    from mainspring.loop.releases.reproduction import ReproductionReport
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_BEFORE = 1_500  # ads shown before the change: what is usual is to be known
_AFTER = 8.0  # and by the new champion, at least
# Seconds; a machine that has other things to do may take several times as long as two quiet cores.
_TRAFFIC, _ALERT, _TRAINING, _ROLLOUT, _ROLLBACK = 300.0, 600.0, 600.0, 900.0, 600.0


@dataclass(slots=True)
class Lived:
    """What was seen, as far as it came.

    Attributes:
        before: the click-through of the first release before the change, and
        after: by the same release after it;
        renewed: of the champion that the loop made, after the change;
        faulty: of the `faulty_release`, which learnt from the faulty export, while it answered.
        seconds: from the change on: to the `alert`, the `training`, its `release`, and the new `champion`; and
            `rollback`: from the promotion of the faulty release to the return of the one before.
        stages: of the rollout, in their order.
        features: of the views, that the gateway found for the requests.
        missing: what did not come, in words.
    """

    before: ClickThrough | None = None
    after: ClickThrough | None = None
    renewed: ClickThrough | None = None
    faulty: ClickThrough | None = None
    champion: ReleaseRef | None = None
    faulty_release: ReleaseRef | None = None
    trigger: str = ""
    window: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    proof: str = ""
    rollback: str = ""
    reproduction: ReproductionReport | None = None
    features: Sequence[FeaturesSeen] = ()
    missing: str = ""


class LiveStory:
    """Lives through it.

    Args:
        first: the release that answers at the beginning.
        begin: told each chapter: its name and a sentence.
        say: told what happens meanwhile.
    """

    def __init__(
        self,
        project: Project,
        workspace: Workspace,
        agency: Agency,
        traffic: Traffic,
        first: ReleaseRef,
        *,
        waiting: Waiting,
        clock: Clock,
        begin: Callable[[str, str], None],
        say: Callable[[str], None],
    ) -> None:
        self.lived = Lived()
        self._project = project
        self._workspace = workspace
        self._agency = agency
        self._traffic = traffic
        self._first = first
        self._waiting = waiting
        self._clock = clock
        self._begin = begin
        self._say = say
        self._changed_at = 0.0

    def tell(self) -> Lived:
        """From the first visitor to the last; what does not come in time ends it."""
        try:
            self._usual()
            self._change()
            release = self._retrained()
            self._proved(release)
            self._baked(release)
            self._fault(release)
        except MainspringError as error:
            self.lived.missing = str(error)
        return self.lived

    def _usual(self) -> None:
        self._waiting.until(
            f"{_BEFORE:,} visitors", lambda: len(self._traffic.shown) >= _BEFORE or None, patience=_TRAFFIC
        )
        self.lived.before = self._of(self._first)

    def _change(self) -> None:
        self._begin("change", "The taste of the visitors changes, from one moment to the next; nobody is told.")
        self._agency.taste = TURNED
        self._changed_at = self._clock.monotonic()
        alert = self._waiting.until("an alert of the change", self._alert, patience=_ALERT)
        self._note("alert")
        since = "" if alert.changed_at is None else f": otherwise since {alert.changed_at:%H:%M:%S} UTC"
        self._say(f"  alert: {alert.monitor}{since}")

    def _retrained(self) -> ReleaseRef:
        self._begin(
            "retrain", "The controller starts a training by itself, with the answers whose clicks are known."
        )
        run = self._waiting.until("a training", self._training, patience=_TRAINING)
        self._note("training")
        self.lived.trigger = str(run.detail["trigger"]["reason"])
        self._say(f"  for {self.lived.trigger}")
        run = self._waiting.until("the end of the training", lambda: self._ended(run.id), patience=_TRAINING)
        if run.state is not RunState.RELEASED or run.release is None:
            error = run.detail.get("error", {})
            raise NotInTime(f"the training was {run.state}: {error.get('message', 'see mainspring runs')}")
        self._note("release")
        window = run.detail.get("window")
        self.lived.window = "" if window is None else f"{window['window']}: {window['reason']}"
        return ReleaseRef(run.model, run.release)

    def _proved(self, release: ReleaseRef) -> None:
        self._begin(
            "prove", f"{release} has to prove itself: replayed, in the shadow, with a share of the visitors."
        )
        state = self._waiting.until("a new champion", lambda: self._risen(release), patience=_ROLLOUT)
        self._after_change()
        if state.stage is not RolloutStage.BAKE:
            raise NotInTime(f"{release} did not become champion; it was {state.end}: {state.note}")
        self._note("champion")
        self.lived.champion = release
        self.lived.proof = state.note

    def _baked(self, release: ReleaseRef) -> None:
        from mainspring.loop.releases.reproduction import reproduce

        self._begin(
            "champion",
            f"{release} answers everybody, and is watched. It is fitted once more from its records, and features "
            "that the gateway found are computed anew from history.",
        )
        began = self._clock.monotonic()
        self.lived.reproduction = reproduce(self._workspace, release, self._project.environ)
        self.lived.features = features_seen(self._workspace, self._project)
        self._clock.sleep(max(0.0, began + _AFTER - self._clock.monotonic()))
        state = self._waiting.until(
            "the end of the watch over the new champion", lambda: self._over(release), patience=_ROLLOUT
        )
        if state.end is not RolloutEnd.PROMOTED:
            raise NotInTime(f"{release} did not stay champion; it was {state.end}: {state.note}")
        self.lived.renewed = self._of(release)

    def _fault(self, release: ReleaseRef) -> None:
        self._begin(
            "fault",
            "Somebody trains on an export that has the clicks the wrong way round. All gates hold, by the same "
            "fault, and it is promoted by hand.",
        )
        faulty = learn_from_it(export_with_a_fault(self._project.root), self._project.environ, _TRAINING)
        self.lived.faulty_release = faulty
        promoted_at = self._clock.monotonic()
        self._begin("rollback", f"{faulty} answers everybody, and is watched as any new champion.")
        state = self._waiting.until("a rollback of it", lambda: self._over(faulty), patience=_ROLLBACK)
        self.lived.seconds["rollback"] = self._clock.monotonic() - promoted_at
        self.lived.rollback = state.note
        self.lived.faulty = self._of(faulty)
        route = self._workspace.records.routes().of(release.model)
        if state.end is not RolloutEnd.ROLLED_BACK or route is None or route.champion != release.number:
            raise NotInTime(f"{faulty} was not rolled back; it was {state.end}: {state.note}")
        self._say(f"  rolled back: {state.note}")

    def _alert(self) -> Alert | None:
        firing = self._workspace.records.alerts(self._first.model, states=(AlertState.FIRING,))
        return next((one for one in firing if one.causes and one.causes[0].release == self._first.number), None)

    def _training(self) -> Run | None:
        runs = self._workspace.records.runs(self._first.model)
        return next((run for run in runs if "trigger" in run.detail), None)

    def _ended(self, run: str) -> Run | None:
        runs = self._workspace.records.runs(self._first.model)
        return next((one for one in runs if one.id == run and one.state.is_final), None)

    def _rollout(self, release: ReleaseRef) -> RolloutState | None:
        known = self._workspace.records.rollouts(release.model)
        return next((one for one in known if one.challenger == release.number), None)

    def _risen(self, release: ReleaseRef) -> RolloutState | None:
        """Its rollout once it is champion, or once it has ended; each new stage is told."""
        state = self._rollout(release)
        if state is None:
            return None
        place = str(state.stage)
        if state.stage is RolloutStage.CANARY:
            place = f"canary {steps_of(state.plan)[state.step]:g}%"
        if place not in self.lived.stages:
            self.lived.stages.append(place)
            self._say(f"  {release}: {place}: {state.note}")
        return state if state.stage is RolloutStage.BAKE or not state.is_open else None

    def _over(self, release: ReleaseRef) -> RolloutState | None:
        state = self._rollout(release)
        return None if state is None or state.is_open else state

    def _after_change(self) -> None:
        self.lived.after = self._of(self._first, since=self._changed_at)

    def _of(self, release: ReleaseRef, since: float = float("-inf")) -> ClickThrough | None:
        return click_through(tuple(self._traffic.shown), str(release), since=since)

    def _note(self, what: str) -> None:
        self.lived.seconds[what] = self._clock.monotonic() - self._changed_at
