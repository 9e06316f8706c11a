"""Give the release its place: champion at once, or challenger where the model declares a `Rollout`."""

from mainspring.domain.release import ReleaseRef
from mainspring.errors import WorkspaceBusy
from mainspring.loop.lifecycle.context import RunContext
from mainspring.loop.rollout.promotion import make_champion, mirror_champion

_PATIENCE = 600.0  # seconds for which another process may be filling a view
_PAUSE = 1.0


def run(context: RunContext) -> str:
    """Point the alias, wait for the gateways, and mirror it to the tracking store last."""
    assert context.run.release is not None, "the register stage comes first"
    workspace = context.workspace
    record = workspace.catalogue.find(ReleaseRef(context.model.name, context.run.release))
    _fill_views(context)
    actor = f"run {context.run.id}"
    if context.model.rollout is not None:
        from mainspring.loop.rollout.rollouts import begin_rollout

        return begin_rollout(workspace, context.model, record, actor=actor)
    _, everywhere = make_champion(
        workspace.records, record, actor=actor, reason="passed its gates", clock=workspace.clock
    )
    mirror_champion(workspace.tracking, record)
    late = "" if everywhere else ", and a gateway worker has not taken it over yet"
    return f"{record.ref} is champion{late}"


def _fill_views(context: RunContext) -> None:
    """What the release asks for by key is to be in the online store before anybody asks the release.

    Raises:
        WorkspaceBusy: another process has been filling a view all the time.
        StoreError: the online store does not answer.
    """
    if not context.model.views:
        return
    from mainspring.connection_features import Features

    features, clock = Features(context.workspace, context.project), context.workspace.clock
    end = clock.monotonic() + _PATIENCE
    for view in context.model.views:
        while True:
            try:
                features.materialize(view.name)
            except WorkspaceBusy:
                if clock.monotonic() >= end:
                    raise
                clock.sleep(_PAUSE)
            else:
                break
