"""Where a challenger stands on its way up, and what its next step rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from mainspring.domain.rollout import Rollout
from mainspring.domain.routing import Traffic
from mainspring.domain.verdict import Outcome


class RolloutStage(StrEnum):
    """In their order."""

    REPLAY = "replay"
    SHADOW = "shadow"
    CANARY = "canary"
    BAKE = "bake"  # it is champion, and the old one stands by


class RolloutEnd(StrEnum):
    PROMOTED = "promoted"
    REJECTED = "rejected"  # before it answered anybody
    ROLLED_BACK = "rolled back"
    SUPERSEDED = "superseded"  # a newer challenger, or a person's promotion, took its place


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """One challenger's way up.

    Attributes:
        id: a UUIDv7.
        before: the number of the champion that it is proved against.
        step: the place in the canary's steps; 0 elsewhere.
        entered_at: when the present stage and step began.
        paused_at: since when a person holds it; the clock of the stage and of the deadline stands still meanwhile.
        note: why it stands where it stands, in words.
        evidence: what the newest look rested on, as plain data.
        version: counts the writes, so that of two writers one is told.
        seconds: of the present stage and step that have passed without a pause.
        seconds_in_all: of the whole way.
        looked_at: up to when these were counted; a clock that is set back takes none of them away.
        settled: whether routes and traffic are as this state wants them; who finds it unsettled finishes that.
        ending: the end that was decided, while routes and traffic are still being brought there.
        progress: what the gathering of evidence goes on from; plain data, for nobody else.
    """

    id: str
    model: str
    challenger: int
    before: int
    plan: Rollout
    stage: RolloutStage
    started_at: datetime
    entered_at: datetime
    step: int = 0
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    end: RolloutEnd | None = None
    note: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    seconds: float = 0.0
    seconds_in_all: float = 0.0
    looked_at: datetime | None = None
    settled: bool = True
    ending: RolloutEnd | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.end is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """By how much the challenger is better than the champion, row by row on the same rows.

    Attributes:
        metric: the row's quantity; over 0 the challenger is better.
        rows: pairs that it rests on.
        low, high: of an interval that holds at all looks together; `None` with too few rows.
    """

    metric: str
    rows: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A condition beside the metric: failures, nonsense, latency, disagreement, the ratio of samples.

    Attributes:
        outcome: a failure rolls back at once; what is inconclusive holds.
        note: in words, with the figures.
    """

    name: str
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvidence:
    """What is known at a look.

    Attributes:
        requests: that the challenger has seen in the present step (in a replay: rows answered again).
        quality: `None` where nothing could be compared.
    """

    requests: int
    quality: Paired | None
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a look decides.

    Attributes:
        state: as it is from now on.
        traffic: the model's rules from now on; `None` where they stay.
        champion: the number of the release that answers from now on; `None` where it stays.
    """

    state: RolloutState
    traffic: Traffic | None = None
    champion: int | None = None
