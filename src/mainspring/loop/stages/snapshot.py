"""Take a snapshot of the source."""

from mainspring.domain.task import Task
from mainspring.loop.context import RunContext, RunStopped


def run(context: RunContext) -> str:
    """Read the source into the workspace; where there is no schema yet, infer one first."""
    if not context.project.schema_path.exists():
        _infer_schema(context)
    taken = context.workspace.snapshots.take(
        context.model.source,
        context.schema,
        context.project.root,
        progress=context.progress.rows_read,
        environ=context.project.environ,
    )
    context.note(snapshot=taken.id)
    if context.stop.is_set():
        raise RunStopped
    return f"{taken.rows:,} rows, snapshot {taken.id[:12]}"


def _infer_schema(context: RunContext) -> None:
    from mainspring.data.inference import infer
    from mainspring.data.schema_file import write_schema

    model = context.model
    found = infer(
        model.source,
        context.project.root,
        target=model.target,
        key=model.source.key,
        time=model.source.time,
        task=None if model.task is None else Task(model.task),
        environ=context.project.environ,
    )
    write_schema(context.project.schema_path, found.schema, found.reasons)
