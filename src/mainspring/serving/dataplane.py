"""The one predict use case; every protocol is a shell over it."""

import asyncio
import logging
from dataclasses import dataclass
from difflib import get_close_matches
from time import perf_counter
from typing import Any

from mainspring.domain.access import Role
from mainspring.domain.prediction_log import Role as AnswerRole
from mainspring.domain.release import ReleaseRef
from mainspring.errors import (
    InvalidInput,
    RequestTooLarge,
    Unavailable,
    UnknownModel,
    UnknownRelease,
    UsageError,
)
from mainspring.serving.batcher import Outputs
from mainspring.serving.exchange import Request
from mainspring.serving.features import Features
from mainspring.serving.journal import Journal
from mainspring.serving.loaded import Loaded
from mainspring.serving.meters import Meters
from mainspring.serving.pool import ReleasePool
from mainspring.serving.router import Router, event_of, routing_key
from mainspring.serving.shadow_feed import ShadowFeed

_LOG = logging.getLogger("mainspring.gateway")
_TELL_EVERY = 10.0  # seconds between two lines of the log about challengers that do not answer
_PATIENCE = 10.0  # seconds that a challenger has before the champion answers in its place


@dataclass(slots=True)
class Answer:
    """What a release answered.

    Attributes:
        release: the one that answered; it need not be the one whose schema the rows were read by.
        outputs: one list for each row: probabilities in the order of the classes, or one value.
        rows: what it answered: those of the request, with the features that were found.
        role: as what it answered.
        arm: of an A/B test, where it answered as one.
    """

    release: Loaded
    outputs: Outputs
    rows: list[Any]
    role: AnswerRole = AnswerRole.CHAMPION
    arm: str | None = None


class Dataplane:
    """Finds the release that answers, and lets it answer.

    Args:
        pool: the releases.
        max_rows: a request with more rows is refused.
        meters: told who answered as what.
        journal: writes the prediction log.
        shadows: takes what shadows are to see.
        features: finds the features of views.
    """

    def __init__(
        self,
        pool: ReleasePool,
        *,
        max_rows: int,
        meters: Meters,
        journal: Journal,
        shadows: ShadowFeed | None = None,
        features: Features | None = None,
    ) -> None:
        self.pool = pool
        self._max_rows = max_rows
        self._meters = meters
        self._journal = journal
        self._shadows = shadows
        self._features = features
        self._told_at = -_TELL_EVERY

    async def release(self, name: str) -> Loaded:
        """The release that `adult`, `adult@champion` or `adult@3` means.

        Raises:
            UnknownModel: no such model is routed.
            UnknownRelease: no such release of it.
            Unavailable: the model's release is not loaded.
        """
        found = self.pool.champions.get(name)
        if found is not None:
            return found
        try:
            reference = ReleaseRef.parse(name)
        except UsageError:
            raise self._unknown(name) from None
        if reference.number is not None:
            return await self.numbered(reference.model, reference.number)
        return await self.labelled(reference.model, reference.alias or "champion")

    async def numbered(self, model: str, number: int) -> Loaded:
        """The release of this number. Raises as `release`."""
        if model not in self.pool.champions and model not in self._routed():
            raise self._unknown(model)
        return await self.pool.named(model, number)

    async def labelled(self, model: str, label: str) -> Loaded:
        """The release that is now the model's `champion` or `challenger`. Raises as `release`."""
        if label == "champion":
            return self.champion(model)
        if model not in self.pool.champions and model not in self._routed():
            raise self._unknown(model)
        number = self.pool.table.challengers.get(model) if self.pool.table else None
        if label != "challenger" or number is None:
            raise UnknownRelease(
                f"the model {model!r} has no release called {label[:80]!r}",
                cure="ask for `champion`, or for a number",
                where={"model": model},
            )
        return await self.pool.named(model, number)

    def champion(self, model: str) -> Loaded:
        """The release that answers for the model. Raises as `release`."""
        found = self.pool.champions.get(model)
        if found is not None:
            return found
        if model not in self._routed():
            raise self._unknown(model)
        reasons = [r.reason for r in self.pool.refused if r.ref.startswith(f"{model}@")]
        raise Unavailable(
            f"the model {model!r} has no release that answers{': ' + reasons[0] if reasons else ' yet'}",
            cure="ask again in a moment; /readyz tells more",
            where={"model": model},
        )

    @property
    def models(self) -> list[str]:
        """The models that are routed, whether or not they answer."""
        return sorted(self._routed())

    def is_routed(self, model: str) -> bool:
        """Whether there is a model of this name, whether or not it answers."""
        return model in self.pool.champions or model in self._routed()

    def check_count(self, rows: int) -> None:
        """Raises `InvalidInput` where there are no rows, `RequestTooLarge` where there are too many."""
        if not rows:
            raise InvalidInput("there are no rows", cure="send at least one")
        if rows > self._max_rows:
            raise RequestTooLarge(
                f"the request has {rows:,} rows, more than {self._max_rows:,}",
                cure="send fewer at once, or score a file with `mainspring score`",
                where={"rows": rows},
            )

    async def predict(
        self,
        request: Request,
        release: Loaded,
        rows: list[Any],
        *,
        pinned: bool = False,
    ) -> Answer:
        """Let a release answer the rows of a request.

        Args:
            release: the champion, or the release that the request names.
            pinned: the request names its release, so that no other may answer.

        Raises:
            InvalidInput: a row that does not fit the release, named by row and field.
            RequestTooLarge: too many rows.
            Unavailable: in `strict`, when the answer cannot be logged; or a feature that it needs cannot be found.
            NotAllowed: the request names its release, and its key does not allow that.
        """
        if pinned:
            request.need(Role.OPERATE, "naming a release")
        self.check_count(len(rows))
        router = self.pool.routers.get(release.model)
        if router is None or pinned:
            role = AnswerRole.PINNED if pinned else AnswerRole.CHAMPION
            answer = await self._asked(request, release, rows, role)
        else:
            answer = await self._shared(request, release, rows, router)
        self._meters.answered_as(release.model, answer.release.ref, answer.role)
        began, answered, _ = request.stages
        durable = self._journal.predicted(
            request.id,
            answer.release.manifest,
            answer.rows,
            answer.outputs,
            answered - began,
            role=answer.role,
            arm=answer.arm or "",
            body=request.body if request.native and answer.rows is rows else None,
        )
        if durable is not None:
            await durable
        request.stages = (began, answered, perf_counter())
        return answer

    async def _asked(
        self, request: Request, release: Loaded, rows: list[Any], role: AnswerRole, arm: str | None = None
    ) -> Answer:
        with release:
            began = perf_counter()
            if release.views is not None and self._features is not None:
                rows = await self._features.found(release.views, rows)
            answer = Answer(release, await release.batcher.outputs(rows), rows, role, arm)
            answered = perf_counter()
            request.stages = (began, answered, answered)
            return answer

    async def _shared(self, request: Request, champion: Loaded, rows: list[Any], router: Router) -> Answer:
        """Let the release answer to which the request falls, the champion where that one does not, and let the
        shadows know."""
        key = routing_key(request.headers, event_of(rows, champion.manifest.key), request.id)
        chosen, role, arm = router.choose(champion, key)
        answer = None
        if chosen is not champion:
            try:
                async with asyncio.timeout(_PATIENCE):
                    answer = await self._asked(request, chosen, rows, role, arm)
            except Exception as error:  # whatever a challenger does wrong, the request is answered
                self._meters.fell_back(chosen.model, chosen.ref, type(error).__name__)
                self._tell(chosen, champion, error)
                role, arm = AnswerRole.CHAMPION, None
        if answer is None:
            answer = await self._asked(request, champion, rows, role, arm)
        if self._shadows is not None:
            numbers = router.shadowing.of(key, answer.release.target.number)
            if numbers:
                said = request.body if request.native else rows
                self._shadows.offer(champion.model, numbers, request.id, said, len(rows), len(request.body))
        return answer

    def _tell(self, challenger: Loaded, champion: Loaded, error: Exception) -> None:
        """Log that a challenger does not answer, now and then; the metrics have all of them."""
        now = perf_counter()
        if now - self._told_at >= _TELL_EVERY and not isinstance(error, InvalidInput):
            self._told_at = now
            _LOG.error("%s does not answer, and %s does in its place: %s", challenger.ref, champion.ref, error)

    def _routed(self) -> set[str]:
        table = self.pool.table
        if table is None:
            return set()
        return {target.model for target in (*table.champions, *table.known)} | {
            refusal.ref.partition("@")[0] for refusal in table.refused
        }

    def _unknown(self, name: str) -> UnknownModel:
        shown = name if len(name) <= 80 else f"{name[:80]}…"
        near = get_close_matches(name[:80], sorted(self._routed()), 1)
        return UnknownModel(
            f"there is no model {shown!r}",
            cure=f"did you mean {near[0]!r}?" if near else "GET /v1/models lists those that are here",
            where={"model": shown},
        )
