"""What the evidence of a rollout is gathered up to: sums and sketches, so that no look reads a row twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mainspring.domain.rollout_state import RolloutState
from mainspring.stats.bounded_moments import BoundedMoments
from mainspring.stats.moments import Moments
from mainspring.stats.quantiles import QuantileSketch
from mainspring.stats.rank_windows import LEAST_ROWS, RankWindows

Gains = Moments | BoundedMoments
_SKETCH = 64  # values of a level: medians are known to a few hundredths, and a state takes little room


def _sketch() -> QuantileSketch:
    return QuantileSketch(_SKETCH)


@dataclass(slots=True)
class Known:
    """The sums so far; plain JSON between two looks.

    Attributes:
        place: the stage and step that the counts below it are of.
        requests: that the challenger answered (in the shadow: unheard) in this step.
        champion_requests: that the champion answered meanwhile.
        nonsense: rows of the challenger's in this step whose outputs are no numbers.
        failures: by kind what the gateways counted in this step.
        counters: what their counters stood at.
        log_version: of the prediction log, up to which it was read; -1 for a log that was not there yet.
        newest: when the newest answers and the newest shadow's answers of these two were given.
        compared_until: answers before it have been compared.
        compared_at: the last time that some were.
        wait: seconds within which labels come, as measured at `wait_at`.
        gains: by how much the challenger's loss is smaller than the champion's, on the way up.
        bake_gains: the same after the promotion.
        champion, canary: losses (or outcomes) of those that each answered alone while the canary was under way.
        windows: what a ranking cuts the rows of one of these four into; of other metrics there are none.
        alone: how many these were of each, with a known truth or without.
        disagreed: pairs in which the two said different things, of `pairs`.
        unpaired: the champion's labelled answers that the challenger should have seen, and gave no answer to.
        latencies: of requests, in microseconds: `champion`, `canary`, and `bake` for the new champion.
        replay: how far the replay has come; see `replay`.
    """

    place: str = ""
    requests: int = 0
    champion_requests: int = 0
    nonsense: int = 0
    failures: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] | None = None
    log_version: int | None = None
    newest: dict[str, datetime] = field(default_factory=dict)
    compared_until: datetime | None = None
    compared_at: datetime | None = None
    wait: float | None = None
    wait_at: datetime | None = None
    gains: Gains = field(default_factory=Moments)
    bake_gains: Gains = field(default_factory=Moments)
    champion: Moments = field(default_factory=Moments)
    canary: Moments = field(default_factory=Moments)
    windows: dict[str, RankWindows] = field(default_factory=dict)
    alone: dict[str, int] = field(default_factory=lambda: {"champion": 0, "canary": 0})
    disagreed: int = 0
    pairs: int = 0
    unpaired: int = 0
    latencies: dict[str, QuantileSketch] = field(
        default_factory=lambda: {name: _sketch() for name in ("champion", "canary", "bake")}
    )
    replay: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, state: RolloutState) -> Known:
        """What the state goes on from, with the counts of an earlier step left behind."""
        known = cls.from_dict(state.progress) if state.progress else cls()
        place = f"{state.stage} {state.step}"
        if known.place != place:
            known.place = place
            known.requests = known.champion_requests = known.nonsense = 0
            known.failures = {}
        return known

    def windows_of(self, name: str, scores: int) -> RankWindows:
        """The windows behind the sums of this name."""
        return self.windows.setdefault(name, RankWindows(scores))

    def rows_of(self, name: str) -> int:
        """How many rows the sums of this name rest on."""
        count: int = getattr(self, name).count
        return self.windows[name].rows if name in self.windows else count

    def seen_of(self, name: str) -> int:
        """The same with the rows that wait for their window to end."""
        return self.windows[name].seen if name in self.windows else self.rows_of(name)

    def looked_at_from(self, name: str, rows: int) -> int:
        """How many values of the sums of this name so many rows are, at most: from then on they are looked at."""
        return max(1, rows // LEAST_ROWS) if name in self.windows else rows

    def bound_gains(self, most: float) -> None:
        """Say, before there are any, that no gain and no loss on a row can be greater."""
        self.gains, self.bake_gains = (
            one if one.count else BoundedMoments(-most, most) for one in (self.gains, self.bake_gains)
        )

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        found |= {name: _text(getattr(self, name)) for name in _MOMENTS_IN_TIME}
        found |= {name: getattr(self, name).to_dict() for name in _MOMENTS}
        found["windows"] = {name: one.to_dict() for name, one in self.windows.items()}
        found["newest"] = {name: _text(at) for name, at in self.newest.items()}
        found["latencies"] = {name: sketch.to_dict() for name, sketch in self.latencies.items()}
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Known:
        known = cls(**{name: data[name] for name in _PLAIN})
        for name in _MOMENTS_IN_TIME:
            setattr(known, name, _time(data[name]))
        for name in _MOMENTS:
            kind = BoundedMoments if "low" in data[name] else Moments
            setattr(known, name, kind.from_dict(data[name]))
        known.windows = {name: RankWindows.from_dict(one) for name, one in data.get("windows", {}).items()}
        known.newest = {name: datetime.fromisoformat(at) for name, at in data["newest"].items()}
        known.latencies = {name: QuantileSketch.from_dict(one) for name, one in data["latencies"].items()}
        return known


_MOMENTS = ("gains", "bake_gains", "champion", "canary")
_MOMENTS_IN_TIME = ("compared_until", "compared_at", "wait_at")
_PLAIN = (
    "place", "requests", "champion_requests", "nonsense", "failures", "counters", "log_version", "wait",
    "alone", "disagreed", "pairs", "unpaired", "replay",
)  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
