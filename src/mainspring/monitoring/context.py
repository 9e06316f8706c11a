"""What the monitors of one model are given: tables, releases, the time, and what they knew at their last look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.domain.ports import Tables
from mainspring.domain.release import Manifest

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.measurement import Window


@dataclass(frozen=True, slots=True)
class Context:
    """One look at one model.

    Attributes:
        now: the time of the look; nothing that came later is seen.
        champion: the number of the release that answers.
        manifests: of the champion and of every other release that answered lately, by number.
        folders: the folders of these releases.
        challengers: the releases whose answers are compared with the champion's.
        label_delay: how long after an answer its label is due, where the model says so.
        states: by monitor what it wants to know at its next look (plain JSON); monitors replace their entry.
        gateway_metrics: the text of the gateway's `/metrics`; `None` where no gateway answers.
    """

    model: str
    tables: Tables
    now: datetime
    champion: int
    manifests: Mapping[int, Manifest]
    folders: Mapping[int, Path]
    challengers: tuple[int, ...] = ()
    label_delay: timedelta | None = None
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    gateway_metrics: str | None = None

    @property
    def manifest(self) -> Manifest:
        """The champion's."""
        return self.manifests[self.champion]

    def joined(self, window: Window, *, role: str | None = None) -> pl.DataFrame:
        """The answers of the window beside what came true, as it was known at the time of the look."""
        from mainspring.data.predictions import predictions

        found = predictions(
            self.tables, self.model, since=window.start, until=window.end, as_of=self.now, role=role
        )
        return found.sort("at", "id").collect()
