"""Ends A/B tests when the time is over that was set for them."""

from __future__ import annotations

from mainspring.domain.routing import Route, Traffic
from mainspring.loop.rollout.promotion import change_traffic
from mainspring.workspace import Workspace


def end_tests(workspace: Workspace, *, actor: str) -> list[str]:
    """Give the arms' requests to the champion again, of each model of which their end has come.

    Returns:
        those models.

    Raises:
        WorkspaceBusy: others keep changing a model's traffic, or the caller's lease is lost.
    """
    records, now = workspace.records, workspace.clock.now()

    def ended(route: Route) -> Traffic:
        end = route.traffic.arms_end
        return route.traffic if end is None or now < end else route.traffic.without_arms()

    models = []
    for route in records.routes().routes:
        if ended(route) == route.traffic:
            continue
        reason = f"the A/B test was to end at {route.traffic.arms_end:%Y-%m-%d %H:%M} UTC"
        changed = change_traffic(
            records, route.model, ended, actor=actor, reason=reason, clock=workspace.clock, wait_seconds=0
        )
        if changed is not None:
            models.append(route.model)
    return models
