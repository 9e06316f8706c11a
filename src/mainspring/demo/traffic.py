"""Live traffic: visitors come all the time, the gateway's answers choose their ads, clicks are fed back, and what
they read is pushed to their history.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from mainspring.clock import Clock
from mainspring.demo.agency import CATEGORIES, Agency
from mainspring.demo.auction import choose, draw_auction
from mainspring.demo.click_through import Shown
from mainspring.demo.names import visitor_name
from mainspring.demo.visits import read_by
from mainspring.errors import StoreError

VISITS = "visitor"
"""The view of the project that is made of visits."""
_PAUSE = 0.5  # seconds between two requests with what was clicked
_PUSH_PAUSE = 5.0  # and with what was read, which takes more work: the view is brought up to date
_BEHIND = 1.0  # seconds that a machine which cannot follow may lag; what is later than that is left out
_LAST_LABELS = 10.0  # seconds that the last ones are waited for at the end


class Gateway(Protocol):
    """What the traffic asks."""

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...

    def feedback(self, model: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...

    def push(self, view: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Rate:
    """How the visitors come.

    Attributes:
        visitors: in a second.
        bidders: ads that bid for each.
        curious: the share of the choices that is left to chance.
        label_seconds: after so long at most it is known whether there was a click.
    """

    visitors: float
    bidders: int
    curious: float
    label_seconds: float


@dataclass(slots=True)
class Counts:
    """What was asked over HTTP.

    Attributes:
        failures: the first of them, in words.
    """

    requests: int = 0
    predictions: int = 0
    labels: int = 0
    visits: int = 0
    failed: int = 0
    failures: tuple[str, ...] = ()


class Traffic:
    """Visitors at a steady rate, in a thread of its own; a context manager.

    Args:
        positive: the class that is a click.
        seed: of who comes, which ads bid, who clicks and when that is known.

    Attributes:
        counts, shown: to be read while it goes on.
    """

    def __init__(
        self, agency: Agency, gateway: Gateway, model: str, rate: Rate, *, positive: str, seed: int, clock: Clock
    ) -> None:
        self.counts = Counts()
        self.shown: list[Shown] = []
        self._agency = agency
        self._gateway = gateway
        self._model = model
        self._rate = rate
        self._positive = positive
        self._rng = np.random.default_rng([seed, 4])
        self._clock = clock
        self._labels: list[
            tuple[float, str, bool]
        ] = []  # a heap: when each is known, of which prediction, a click
        self._visits: list[dict[str, Any]] = []  # that are not pushed yet
        # In turn: nobody comes again before the loop has heard what they read the last time.
        self._coming = cycle(self._rng.permutation(len(agency.visitors)).tolist())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        each = 1.0 / self._rate.visitors
        due = fed = pushed = self._clock.monotonic()
        while not self._stopping.is_set():
            now = self._clock.monotonic()
            if now - fed >= _PAUSE:
                self._tell(now)
                fed = now
            if now - pushed >= _PUSH_PAUSE:
                self._push()
                pushed = now
            if now < due:
                self._clock.sleep(due - now)
            self.visit()
            due = max(due + each, self._clock.monotonic() - _BEHIND)
        self._push()
        deadline = self._clock.monotonic() + _LAST_LABELS
        while self._labels and (now := self._clock.monotonic()) < deadline:
            self._tell(now)
            self._clock.sleep(_PAUSE)

    def visit(self) -> None:
        """One visitor comes, sees an ad, clicks on it or not, and leaves when the page is read."""
        visitor = next(self._coming)
        auction = draw_auction(self._agency, visitor, self._rng, self._rate.bidders)
        self.counts.requests += 1
        try:
            answer = self._gateway.predict(self._model, auction.rows)
        except StoreError as error:
            self._note_failure(error)
            return
        self.counts.predictions += len(auction.rows)
        chances = [one["probabilities"][self._positive] for one in answer["predictions"]]
        place = choose(chances, self._rng, self._rate.curious)
        chance = float(auction.law[place])
        clicked = bool(self._rng.random() < chance)
        now = self._clock.monotonic()
        known_at = now + float(self._rng.uniform(0.2, 1.0)) * self._rate.label_seconds
        heapq.heappush(self._labels, (known_at, f"{answer['id']}/{place}", clicked))
        self.shown.append(
            Shown(now, answer["release"], chance, float(auction.law.max()), float(auction.law.mean()), clicked)
        )
        (topic,) = read_by(self._agency, np.array([visitor]), self._rng)
        self._visits.append(
            {
                "visitor_id": visitor_name(visitor),
                "left_at": self._clock.now().isoformat(),
                "topic": CATEGORIES[topic],
                "hour": auction.rows[0]["hour"],
            }
        )

    def _tell(self, now: float) -> None:
        """Feed back what is known by now."""
        known = []
        while self._labels and self._labels[0][0] <= now:
            known.append(heapq.heappop(self._labels))
        if not known:
            return
        messages = [{"prediction_id": name, "label": int(clicked)} for _, name, clicked in known]
        self.counts.requests += 1
        try:
            self._gateway.feedback(self._model, messages)
        except StoreError as error:
            self._note_failure(error)
            self._again(known)
        else:
            self.counts.labels += len(messages)

    def _push(self) -> None:
        """Tell what was read; what does not arrive is told again, and counts once."""
        if not self._visits:
            return
        self.counts.requests += 1
        try:
            self._gateway.push(VISITS, self._visits)
        except StoreError as error:
            self._note_failure(error)
        else:
            self.counts.visits += len(self._visits)
            self._visits = []

    def _again(self, known: Iterable[tuple[float, str, bool]]) -> None:
        for one in known:
            heapq.heappush(self._labels, one)

    def _note_failure(self, error: StoreError) -> None:
        self.counts.failed += 1
        self.counts.failures = (*self.counts.failures, error.message)[:5]
