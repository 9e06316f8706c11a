"""Ends an A/B test when the time is over that was set for it."""

from __future__ import annotations

from mainspring.workspace import Workspace


def end_test(workspace: Workspace, model: str, *, actor: str) -> bool:
    """Give the arms' requests to the champion again where their end has come; whether it has.

    Raises:
        WorkspaceBusy: somebody else has changed the model's traffic meanwhile.
    """
    records = workspace.records
    route = records.routes().of(model)
    end = None if route is None else route.traffic.arms_end
    if route is None or end is None or workspace.clock.now() < end:
        return False
    reason = f"the A/B test was to end at {end:%Y-%m-%d %H:%M} UTC"
    rules = route.traffic
    records.set_traffic(model, rules.without_arms(), actor=actor, reason=reason, instead_of=rules)
    return True
