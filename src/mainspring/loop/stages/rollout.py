"""Give the release its place: champion at once, or challenger where the model declares a `Rollout`."""

from mainspring.domain.release import Alias, ReleaseRef
from mainspring.loop.context import RunContext
from mainspring.loop.promotion import make_champion


def run(context: RunContext) -> str:
    """Point the alias, wait for the gateways, and mirror it to the tracking store last."""
    assert context.run.release is not None, "the register stage comes first"
    workspace = context.workspace
    record = workspace.catalogue.find(ReleaseRef(context.model.name, context.run.release))
    actor, reason = f"run {context.run.id}", "passed its gates"
    if context.model.rollout is None:
        _, everywhere = make_champion(workspace.records, record, actor=actor, reason=reason, clock=workspace.clock)
        alias, summary = Alias.CHAMPION, f"{record.ref} is champion"
        if not everywhere:
            summary += ", and a gateway worker has not taken it over yet"
    else:
        workspace.records.set_alias(record.model, Alias.CHALLENGER, record.number, actor=actor, reason=reason)
        alias, summary = Alias.CHALLENGER, f"{record.ref} waits for `mainspring promote {record.ref}`"
    workspace.tracking.mirror_alias(record.model, alias, record.number)
    return summary
