"""Which views are to be brought up to date now: by their schedules, and because rows were pushed to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mainspring.domain.cron import parse_cron
from mainspring.domain.materialised import Materialised

if TYPE_CHECKING:
    from mainspring.domain.feature_view import FeatureView

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)


def by_schedule(view: FeatureView, known: Materialised | None, now: datetime) -> bool:
    """Whether a moment of its schedule has come since it was brought up to date; of those missed one is enough.

    A definition that was never filled is due at once, so that it is there before a release needs it.

    Examples:
        >>> from datetime import UTC
        >>> from mainspring.domain.feature_view import FeatureView
        >>> from mainspring.domain.materialised import MaterialisationState
        >>> from mainspring.domain.source import Source
        >>> view = FeatureView("ads", source=Source("a.csv"), key="ad", time="at", schedule="0 3 * * *")
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> done = MaterialisationState.DONE
        >>> told = Materialised(id="ads-1", view="ads", state=done, started_at=noon, until=noon)
        >>> by_schedule(view, None, noon), by_schedule(view, told, noon + timedelta(hours=1))
        (True, False)
        >>> by_schedule(view, told, noon + timedelta(days=3))
        True
    """
    if view.schedule is None:
        return False
    if known is None or known.until is None:
        return True
    return parse_cron(view.schedule).last(now) > known.until


def pause_after(failures: int) -> timedelta:
    """How long a view that could not be filled is left alone; longer each time.

    Examples:
        >>> [pause_after(failures).total_seconds() for failures in (1, 2, 3, 20)]
        [5.0, 10.0, 20.0, 600.0]
    """
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE)
