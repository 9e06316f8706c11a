"""The one predict use case; every protocol is a shell over it."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

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
from mainspring.serving.pool import Loaded, ReleasePool


@dataclass(slots=True)
class Answer:
    """What a release answered.

    Attributes:
        release: the one that answered; it need not be the one whose schema the rows were read by.
        outputs: one list for each row: probabilities in the order of the classes, or one value.
    """

    release: Loaded
    outputs: Outputs


class Dataplane:
    """Finds the release that answers, and lets it answer.

    Args:
        pool: the releases.
        max_rows: a request with more rows is refused.
    """

    def __init__(self, pool: ReleasePool, *, max_rows: int) -> None:
        self.pool = pool
        self._max_rows = max_rows

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
        request: Request,  # noqa: ARG002 - the log and the router use them
        release: Loaded,
        rows: list[Any],
        *,
        pinned: bool = False,  # noqa: ARG002
    ) -> Answer:
        """Let a release answer the rows of a request.

        Args:
            release: the champion, or the release that the request names.
            pinned: the request names its release, so that no other may answer.

        Raises:
            InvalidInput: a row that does not fit the release, named by row and field.
            RequestTooLarge: too many rows.
        """
        self.check_count(len(rows))
        with release:
            return Answer(release, await release.batcher.outputs(rows))

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
