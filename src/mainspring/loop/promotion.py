"""Make a release the one that answers."""

from mainspring.clock import Clock
from mainspring.domain.ports import Records, Tracking
from mainspring.domain.release import Alias, ReleaseRecord

_POLL_SECONDS = 0.05


def make_champion(
    records: Records, record: ReleaseRecord, *, actor: str, reason: str, clock: Clock, wait_seconds: float = 10.0
) -> tuple[int, bool]:
    """Point the model's champion at the release and wait until every live gateway worker answers by it.

    Returns:
        The route generation, and whether all live workers have acknowledged it within `wait_seconds`.
    """
    generation = records.set_alias(record.model, Alias.CHAMPION, record.number, actor=actor, reason=reason)
    deadline = clock.monotonic() + wait_seconds
    while not all(seen >= generation for seen in records.workers(record.model).values()):
        if clock.monotonic() >= deadline:
            return generation, False
        clock.sleep(_POLL_SECONDS)
    return generation, True


def mirror_champion(tracking: Tracking, record: ReleaseRecord) -> None:
    """Tell the tracking store; written last, never read back."""
    tracking.mirror_alias(record.model, Alias.CHAMPION, record.number)
