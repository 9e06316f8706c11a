"""Give the release its place: champion at once, or challenger where the model declares a `Rollout`."""

from mainspring.domain.release import ReleaseRef
from mainspring.loop.lifecycle.context import RunContext
from mainspring.loop.rollout.promotion import make_champion, mirror_champion


def run(context: RunContext) -> str:
    """Point the alias, wait for the gateways, and mirror it to the tracking store last."""
    assert context.run.release is not None, "the register stage comes first"
    workspace = context.workspace
    record = workspace.catalogue.find(ReleaseRef(context.model.name, context.run.release))
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
