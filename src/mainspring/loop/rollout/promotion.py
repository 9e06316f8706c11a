"""Make a release the one that answers, or one that answers a share of the requests."""

from collections.abc import Callable

from mainspring.clock import Clock
from mainspring.domain.ports import Records, Tracking
from mainspring.domain.release import Alias, ReleaseRecord
from mainspring.domain.routing import Route, Traffic
from mainspring.errors import WorkspaceBusy

_POLL_SECONDS = 0.05
_ATTEMPTS = 5  # at a change that others were faster than


def make_champion(
    records: Records, record: ReleaseRecord, *, actor: str, reason: str, clock: Clock, wait_seconds: float = 10.0
) -> tuple[int, bool]:
    """Point the model's champion at the release and wait until every live gateway worker answers by it.

    Returns:
        The route generation, and whether all live workers have acknowledged it within `wait_seconds`.
    """
    generation = records.set_alias(record.model, Alias.CHAMPION, record.number, actor=actor, reason=reason)
    return generation, _followed(records, record.model, generation, clock, wait_seconds)


def share_traffic(
    records: Records,
    model: str,
    traffic: Traffic,
    *,
    actor: str,
    reason: str,
    clock: Clock,
    wait_seconds: float = 10.0,
) -> tuple[int, bool]:
    """Set the model's rules of traffic and wait until every live gateway worker follows them.

    Returns:
        As `make_champion`.
    """
    generation = records.set_traffic(model, traffic, actor=actor, reason=reason)
    return generation, _followed(records, model, generation, clock, wait_seconds)


def change_traffic(
    records: Records,
    model: str,
    change: Callable[[Route], Traffic],
    *,
    actor: str,
    reason: str,
    clock: Clock,
    wait_seconds: float = 10.0,
) -> tuple[int, bool] | None:
    """Change the model's rules of traffic by what they are; again where somebody was faster.

    Returns:
        As `make_champion`; `None` where nothing is to be changed.

    Raises:
        WorkspaceBusy: others keep changing them, or the caller's lease is lost.
    """
    for attempt in range(_ATTEMPTS):
        route = records.routes().of(model)
        wanted = None if route is None else change(route)
        if route is None or wanted is None or wanted == route.traffic:
            return None
        try:
            generation = records.set_traffic(model, wanted, actor=actor, reason=reason, instead_of=route.traffic)
        except WorkspaceBusy:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return generation, _followed(records, model, generation, clock, wait_seconds)
    raise AssertionError("the last attempt returns or raises")


def _followed(records: Records, model: str, generation: int, clock: Clock, wait_seconds: float) -> bool:
    deadline = clock.monotonic() + wait_seconds
    while not all(seen >= generation for seen in records.workers(model).values()):
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(_POLL_SECONDS)
    return True


def mirror_champion(tracking: Tracking, record: ReleaseRecord) -> None:
    """Tell the tracking store; written last, never read back."""
    tracking.mirror_alias(record.model, Alias.CHAMPION, record.number)
