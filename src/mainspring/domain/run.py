"""One pass through the lifecycle, up to a release or a refusal."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """The stages in their order."""

    SNAPSHOT = "snapshot"
    VALIDATE = "validate"
    TRAIN = "train"
    EVALUATE = "evaluate"
    GATES = "gates"
    SEAL = "seal"
    REGISTER = "register"
    ROLLOUT = "rollout"


class RunState(StrEnum):
    RUNNING = "running"  # also of a run that was killed and waits to be resumed
    RELEASED = "released"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self is not RunState.RUNNING


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the records database knows it.

    Attributes:
        stage: the stage it is in, or ended in.
        budget: `{"seconds": 120}` or `{"trials": 20}`.
        release: the number that it was given, once registered.
        detail: what a person wants to know of how it ended (the error, the failed gate).
        tracking_id: the MLflow run.
    """

    id: str
    model: str
    state: RunState
    stage: Stage
    budget: dict[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    snapshot: str | None = None
    release: int | None = None
    tracking_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
