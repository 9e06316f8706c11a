"""The alert that says that trainings brought nothing, and that triggers start no more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.loop.own_alerts import BREAKER, tell

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.model import Model
    from mainspring.workspace import Workspace


def tell_breaker(workspace: Workspace, model: Model, stopped: int) -> list[Event]:
    """Raise the alert, or end it; says nothing where all is told.

    Args:
        stopped: after how many trainings in a row for nothing the breaker holds; 0 where it does not.

    Raises:
        WorkspaceBusy: another process has looked at the model meanwhile.
    """
    bar = None if model.retrain is None else model.retrain.breaker
    note = (
        f"{stopped} trainings in a row brought no new champion; no more is started until a person has trained: "
        "mainspring run"
    )
    return tell(workspace, model, BREAKER, stopped, bar=bar, note=note)
