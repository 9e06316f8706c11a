"""The one feedback use case: what came true is validated, and acknowledged when it is in the spool.

A worker reads no table. So it takes feedback about predictions that are not stored yet, or never will be, and
which of several messages holds is decided when they are read.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mainspring.clock import Clock
from mainspring.domain.feedback import Message, read_message, with_key
from mainspring.domain.prediction_log import TRUTH
from mainspring.domain.release import Manifest
from mainspring.domain.truth import Truth
from mainspring.errors import InvalidInput
from mainspring.release.target_column import target_column
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.feedback_record import FeedbackRecord, encode_feedback
from mainspring.serving.loaded import Loaded

_AT_ONCE = 100  # messages between two looks at what else the worker has to do


class Spooling(Protocol):
    """What keeps a payload: see `Spool`."""

    def append(self, payload: bytes, *, must_keep: bool = False) -> "asyncio.Future[None] | None": ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request's messages.

    Attributes:
        messages: how many are kept.
        duplicates: how many were left out, being the same as one before them in the request.
    """

    messages: int
    duplicates: int


class FeedbackIntake:
    """Takes feedback for every model that the gateway serves.

    Args:
        plane: knows the models, and how many rows a request may have.
        spool: where the messages go; nothing is acknowledged that is not in it.
        key_kept: what the prediction log keeps of an event's key; `None` where it keeps nothing to find it by.
        received: told the model, `label` or `outcome`, and how many.
    """

    def __init__(
        self,
        plane: Dataplane,
        spool: Spooling,
        *,
        clock: Clock,
        key_kept: Callable[[Manifest, str], str | None],
        received: Callable[[str, str, int], object],
    ) -> None:
        self._plane = plane
        self._spool = spool
        self._clock = clock
        self._key_kept = key_kept
        self._received = received
        self._truths: dict[str, tuple[str, Truth]] = {}  # by model: of which release, and how it reads labels

    async def accept(self, model: str, documents: Sequence[Any]) -> Accepted:
        """Keep the messages, all or none.

        Args:
            documents: as `domain.feedback.read_message` reads them.

        Raises:
            UnknownModel: no such model is routed.
            InvalidInput: a message makes no sense; row and field are named.
            RequestTooLarge: too many messages.
            Unavailable: the model's champion is not loaded, or the spool cannot keep them.
        """
        champion = self._plane.champion(model)
        self._plane.check_count(len(documents))
        truth = self._truth(champion)
        found: dict[tuple[str, str | None, str | None, str], Message] = {}
        for row, document in enumerate(documents):
            if row % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # predictions go first
            said = self._disguised(read_message(document, truth, row), champion.manifest, row)
            about = (said.feedback_id, said.prediction_id, said.key, said.name)
            found.setdefault(about, said)
        messages = tuple(found.values())
        durable = self._spool.append(
            encode_feedback(FeedbackRecord(model, self._clock.now(), messages)), must_keep=True
        )
        if durable is not None:
            await durable
        labels = sum(said.name == TRUTH for said in messages)
        for kind, count in (("label", labels), ("outcome", len(messages) - labels)):
            if count:
                self._received(model, kind, count)
        return Accepted(len(messages), len(documents) - len(messages))

    def _disguised(self, said: Message, manifest: Manifest, row: int) -> Message:
        """With the key as the prediction log has it: a person's key stands in clear in no table."""
        if said.key is None:
            return said
        key = self._key_kept(manifest, said.key)
        if key is None:
            raise InvalidInput(
                f"row {row}: the field 'key' names nothing: no key of this model is in the prediction log",
                cure="send the prediction_id",
                where={"row": row, "field": "key"},
            )
        return said if key == said.key else with_key(said, key)

    def _truth(self, champion: Loaded) -> Truth:
        known = self._truths.get(champion.model)
        if known is None or known[0] != champion.target.digest:
            column = target_column(champion.manifest, Path(champion.target.folder))
            known = champion.target.digest, Truth(champion.manifest.output, column)
            self._truths[champion.model] = known
        return known[1]
