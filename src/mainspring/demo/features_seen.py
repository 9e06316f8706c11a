"""What became of the features that requests left to the gateway, and whether history agrees with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.project import Project
    from mainspring.workspace import Workspace

_PERIOD = timedelta(hours=1)  # longer than the story
_ROWS = "feature_rows_total"


@dataclass(frozen=True, slots=True)
class FeaturesSeen:
    """The features of one view.

    Attributes:
        asked: rows of requests whose features were to be found by key.
        found: of these, those whose features were there.
        checked: answers whose features were computed anew from history; a sample.
        agreeing: of these, those of which every feature agrees.

    Examples:
        >>> seen = FeaturesSeen("creative", asked=400, found=398, checked=100, agreeing=100)
        >>> seen.found_share, seen.agreeing_share
        (0.995, 1.0)
    """

    view: str
    asked: int
    found: int
    checked: int
    agreeing: int

    @property
    def found_share(self) -> float | None:
        return self.found / self.asked if self.asked else None

    @property
    def agreeing_share(self) -> float | None:
        return self.agreeing / self.checked if self.checked else None


def features_seen(workspace: Workspace, project: Project) -> tuple[FeaturesSeen, ...]:
    """How it went with each view of the champion: by the gateway's count, and by `mainspring features check`."""
    from mainspring.loop.features.checking import check_agreement
    from mainspring.loop.gateway_metrics import gateway_metrics
    from mainspring.monitoring.gateway_counters import read_metrics, total

    counted = read_metrics(gateway_metrics(workspace) or "")
    return tuple(
        FeaturesSeen(
            one.view,
            asked=int(total(counted, _ROWS, view=one.view) or 0),
            found=int(total(counted, _ROWS, view=one.view, outcome="found") or 0),
            checked=one.rows,
            agreeing=one.agreeing,
        )
        for one in check_agreement(workspace, project, period=_PERIOD).views
    )
