"""A score job that was done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from mainspring.domain.measurement import Window

BATCH = "batch"
"""The role in which a release answers the rows of a job; the prediction log has none of them."""


@dataclass(frozen=True, slots=True)
class Job:
    """One table that was scored.

    Attributes:
        id: a UUIDv7.
        number: of the model's jobs.
        rows: that were scored.
        looked_at: of these, the rows that the sketches are of.
        name: of the output's file, for people.
    """

    id: str
    number: int
    release: int
    began: datetime
    ended: datetime
    rows: int
    looked_at: int
    name: str

    @property
    def window(self) -> Window:
        return Window(self.began, self.ended)

    def facts(self) -> str:
        """As the table has them."""
        return msgspec.json.encode(self).decode()

    def numbered(self, number: int, ended: datetime) -> Job:
        """The same as the job of this number, which ended then."""
        return replace(self, number=number, ended=ended)
