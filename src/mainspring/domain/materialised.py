"""How far a feature view has come in the online store."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mainspring.domain.durations import parse_duration
from mainspring.domain.ports_features import ViewId


class MaterialisationState(StrEnum):
    RUNNING = "running"  # under way, or killed: the next one goes on
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialised:
    """What is known of one definition of a view.

    Attributes:
        id: of the definition; another definition of the same view is another one.
        started_at, ended_at: of the newest materialisation.
        until: the rows that were known by then are in the store; `None` while the first filling goes on.
        newest_event: of all rows.
        keys: entities in the store.
        read, written, removed: by the newest materialisation that came to its end: rows that it looked at,
            entities whose features had changed, entities that are no more.
        snapshot: of the source.
        trouble: why the newest one failed.
        freshness: the greatest age that is allowed, as a duration text.
        remarks: what the newest one saw that is odd about the rows, and no error.

    Examples:
        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> one = Materialised(id="ads-1", view="ads", state=MaterialisationState.DONE, started_at=noon,
        ...                    until=noon, freshness="1h")
        >>> one.age(noon + timedelta(hours=2)), one.is_stale(noon + timedelta(hours=2)), one.is_stale(noon)
        (datetime.timedelta(seconds=7200), True, False)
    """

    id: ViewId
    view: str
    state: MaterialisationState
    started_at: datetime
    ended_at: datetime | None = None
    until: datetime | None = None
    newest_event: datetime | None = None
    keys: int = 0
    read: int = 0
    written: int = 0
    removed: int = 0
    snapshot: str | None = None
    trouble: str = ""
    freshness: str | None = None
    remarks: tuple[str, ...] = ()

    def age(self, now: datetime) -> timedelta | None:
        """How old what is in the store is; `None` where nothing whole is in it."""
        return None if self.until is None else max(timedelta(0), now - self.until)

    def is_stale(self, now: datetime) -> bool:
        """Whether it is older than the view allows; what was never filled is, too."""
        if self.freshness is None:
            return False
        age = self.age(now)
        return age is None or age > parse_duration(self.freshness)
