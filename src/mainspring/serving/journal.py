"""Writes what was answered into the spool: the hot path's part of the prediction log."""

import logging
import secrets
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.domain.prediction_log import Role
from mainspring.domain.release import Manifest
from mainspring.errors import StoreError, Unavailable
from mainspring.serving.orders import LogOrders
from mainspring.serving.personal import PersonalMask, read_secret
from mainspring.serving.prediction_frames import Description, description_frame, prediction_frame
from mainspring.serving.spool import Spool

_LOG = logging.getLogger("mainspring.gateway")
_ENCODE = msgspec.json.Encoder().encode

Rows = Sequence[Mapping[str, Any]]


def open_journal(
    orders: LogOrders,
    writer: str,
    *,
    logged: Callable[[int], object],
    dropped: Callable[[str], object],
    clock: Clock = SYSTEM_CLOCK,
) -> "tuple[Spool, Journal]":
    """The spool of this process, which takes feedback also where no predictions are logged, and its journal.

    Args:
        writer: e.g. `worker-0`.
    """
    spool = Spool(
        Path(orders.folder),
        writer,
        limit=orders.limit,
        strict=orders.durability == "strict",
        dropped=dropped,
        clock=clock,
    )
    try:
        secret = read_secret(Path(orders.secret))
    except StoreError as error:
        # No clear text for want of a key: equal values are then equal as long as this process lives.
        _LOG.error("%s; until then personal values have digests of a key that is thrown away", error)
        secret = secrets.token_bytes(32)
    kept = None if orders.durability == "off" else spool
    return spool, Journal(kept, secret, logged=logged, dropped=dropped, clock=clock)


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What a release answered, for the log; as the arguments of `Journal.predicted`.

    Attributes:
        rows: `None` where the body is known to hold nothing but the release's own fields, none of them personal.
        role, arm: as what it answered.
        packed: the outputs as `prediction_frame` takes them.
    """

    request_id: str
    rows: Rows | None
    outputs: Sequence[Sequence[float]]
    seconds: float
    body: bytes | None
    role: Role = Role.CHAMPION
    arm: str = ""
    packed: bytes | None = None


class _Known:
    """What is the same for every answer of a release."""

    __slots__ = ("description", "generation", "key", "manifest", "mask", "own", "plain", "ref", "width")

    def __init__(self, manifest: Manifest, secret: bytes) -> None:
        self.manifest = manifest
        self.ref = str(manifest.ref).encode()
        self.description = description_frame(Description.of(manifest))
        self.width = len(manifest.inputs)
        self.key = manifest.key
        logged = manifest.logged
        tags = (manifest.key_personal, *(field.personal for field in logged))
        self.plain = not any(tags)
        more = logged[self.width :]
        self.mask = PersonalMask(manifest.inputs, manifest.key, manifest.key_personal, secret, more)
        self.generation = -1  # of the spool file that holds the description

    def only_own(self, rows: Rows) -> bool:
        """Whether the rows hold nothing but this release's fields and the key: all that may be kept as it came."""
        width, key = self.width, self.key
        if len(rows) == 1 and len(rows[0]) == width:  # spelled out: it takes a third of the time
            return True
        return all(len(row) == width or (len(row) == width + 1 and key in row) for row in rows)

    def frame(self, at: int, answer: Answered) -> bytes:
        """What the spool holds of an answer given at this time (microseconds since the epoch)."""
        body, rows = answer.body, answer.rows
        if rows is None:
            if body is None or not self.plain:  # nothing is kept unseen that may be personal
                raise ValueError("the rows are missing")
        elif not self.plain or not self.only_own(rows):
            body = _encoded(self.mask(rows))
        elif body is None:
            body = _encoded(rows)
        latency = int(answer.seconds * 1e6)
        return prediction_frame(
            at, self.ref, answer.request_id, answer.role, answer.arm, latency, answer.outputs, body, answer.packed
        )


def _encoded(rows: Rows) -> bytes:
    try:
        return _ENCODE(rows)
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can spell and UTF-8 cannot
        return _ENCODE([{name: _sound(value) for name, value in row.items()} for row in rows])


def _sound(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


class Journal:
    """The prediction log as the one who answers sees it.

    Args:
        spool: where it goes; `None` keeps no log.
        secret: of the workspace, for personal values.
        logged: told how many rows were written.
        dropped: told `error` where a fault of ours kept an answer from the log.
    """

    def __init__(
        self,
        spool: Spool | None,
        secret: bytes,
        *,
        logged: Callable[[int], object] = lambda rows: None,  # noqa: ARG005
        dropped: Callable[[str], object] = lambda why: None,  # noqa: ARG005
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._spool = spool
        self.secret = secret
        self._logged = logged
        self._dropped = dropped
        self._now = clock.now
        self._known: dict[str, _Known] = {}
        self._told = False

    def predicted(
        self,
        request_id: str,
        manifest: Manifest,
        rows: Rows,
        outputs: Sequence[Sequence[float]],
        seconds: float,
        *,
        role: Role = Role.CHAMPION,
        arm: str = "",
        body: bytes | None = None,
    ) -> "Future[None] | None":
        """Write one answer.

        Args:
            manifest: of the release that answered.
            rows: as the release took them.
            seconds: that it took.
            body: the rows as JSON in a form of the native protocol, where they came so.

        Returns:
            `None`, or in `strict` a future to await before the answer goes out.

        Raises:
            Unavailable: in `strict`, when it cannot be written.
        """
        spool = self._spool
        if spool is None:
            return None
        try:
            known = self._known_of(manifest)
            if known.generation != spool.generation and not self._describe(spool, known):
                return None
            answer = Answered(request_id, rows, outputs, seconds, body, role, arm)
            payload = known.frame(int(self._now().timestamp() * 1e6), answer)
            before = spool.position
            done = spool.append(payload)
            if spool.position != before:
                self._logged(len(outputs))
            return done
        except Unavailable:
            raise
        except Exception as error:  # a fault of ours costs the record, and in `batch` not the answer
            self._tell()
            if spool.strict:
                raise Unavailable(
                    "the answer could not be logged, and nothing may go unrecorded",
                    cure="ask again; the operator finds the reason in the gateway's log",
                ) from error
            self._dropped("error")
            return None

    def predicted_together(self, manifest: Manifest, answers: Sequence[Answered]) -> None:
        """In `batch`, write answers that go out together, in one write."""
        spool = self._spool
        if spool is None:
            return
        payloads = []
        try:
            known = self._known_of(manifest)
            at = int(self._now().timestamp() * 1e6)
            for answer in answers:
                try:
                    payloads.append((known.frame(at, answer), len(answer.outputs)))
                except Exception:  # a fault of ours costs the record, and not the answer
                    self._tell()
                    self._dropped("error")
            if known.generation != spool.generation and not self._describe(spool, known):
                return
            if spool.append_together([payload for payload, _ in payloads]):
                self._logged(sum(rows for _, rows in payloads))
                return
            for payload, rows in payloads:
                if known.generation != spool.generation and not self._describe(spool, known):
                    continue
                before = spool.position
                spool.append(payload)
                if spool.position != before:
                    self._logged(rows)
        except Exception:
            self._tell()
            self._dropped("error")

    def _known_of(self, manifest: Manifest) -> _Known:
        ref = manifest.model + "@" + str(manifest.number)
        known = self._known.get(ref)
        if known is None or known.manifest is not manifest:
            known = self._known[ref] = _Known(manifest, self.secret)
        return known

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            _LOG.exception("an answer could not be logged")

    def _describe(self, spool: Spool, known: _Known) -> bool:
        """Say in the spool's present file what the release is; whether that was possible."""
        for _ in range(2):  # the first may be the last frame of a file
            before, generation = spool.position, spool.generation
            spool.append(known.description)
            if spool.position == before:
                return False
            known.generation = generation
            if generation == spool.generation:
                return True
        return False
