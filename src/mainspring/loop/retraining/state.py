"""What triggers remember from one look to the next and through a restart: a JSON document of each model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from mainspring.domain.ports import Records
from mainspring.domain.trigger import Trigger
from mainspring.domain.trigger_signals import Held, TriggerMemory

_LOG = logging.getLogger("mainspring.controller")
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A training that a trigger has started and that has not come to its end.

    Attributes:
        attempts: how often it was tried in vain.
        failed: the runs of those attempts.
        not_before: when it is tried again.
        trouble: why the last attempt was in vain, in words.
    """

    trigger: Trigger
    attempts: int = 0
    failed: tuple[str, ...] = ()
    not_before: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSource:
    """The source at the last look that read it.

    Attributes:
        stamp: its files' names, sizes and times.
        content: its rows; `None` while somebody writes it.
        at: when it was read.
    """

    stamp: str | None
    content: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """All of it.

    Attributes:
        held: a cause that may not start a training yet, for people.
        stopped: after how many trainings in a row for nothing the breaker holds; 0 where it does not.
    """

    memory: TriggerMemory = field(default_factory=TriggerMemory)
    pending: Pending | None = None
    held: Held | None = None
    source: SeenSource | None = None
    stopped: int = 0


def read_state(records: Records, model: str) -> TriggerState:
    """What is remembered of a model; what cannot be read is forgotten, so that it never stops the loop."""
    stored = records.loop_state(model)
    if not stored:
        return TriggerState()
    try:
        if stored.get("format") == _FORMAT:
            return msgspec.convert(stored["state"], TriggerState)
    except (msgspec.ValidationError, KeyError) as error:
        _LOG.error("what the triggers of %s remembered cannot be read, and they begin anew: %s", model, error)
    return TriggerState()


def write_state(records: Records, model: str, state: TriggerState) -> None:
    document: Mapping[str, Any] = {"format": _FORMAT, "state": msgspec.to_builtins(state)}
    records.put_loop_state(model, document)
