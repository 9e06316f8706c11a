"""Take a snapshot of the source, and of what production has taught since."""

from datetime import datetime

from mainspring.domain.durations import parse_duration
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.task import Task
from mainspring.errors import MainspringError
from mainspring.loop.lifecycle.context import RunContext, RunStopped
from mainspring.loop.lifecycle.learning import LEARNING, Learning


def run(context: RunContext) -> str:
    """Read the source into the workspace; where there is no schema yet, infer one first.

    What is learnt from the rows, and how, is decided here too: a run that goes on later goes on with the same.
    """
    if not context.project.schema_path.exists():
        _infer_schema(context)
    taken = context.workspace.snapshots.take(
        context.model.source,
        context.source_schema,
        context.project.root,
        progress=context.progress.rows_read,
        environ=context.project.environ,
    )
    context.note(snapshot=taken.id)
    if context.model.views:
        views = {name: one.to_dict() for name, one in context.model_rows.taken.items()}
        context.note(detail={**context.run.detail, "views": views})
    if context.stop.is_set():
        raise RunStopped
    return f"{taken.rows:,} rows, snapshot {taken.id[:12]}{_decide(context)}"


def _decide(context: RunContext) -> str:
    """What is learnt from these rows and how (see `loop.lifecycle.learning`)."""
    from mainspring.loop.lifecycle.labelled import Labelled, take_labelled
    from mainspring.loop.lifecycle.labelled_answers import Shape
    from mainspring.loop.lifecycle.windows import (
        kept_parameters_of,
        kept_positive,
        retraining_split,
        rows_of_first,
        window_plan,
    )

    model, resolved, trigger = context.model, context.resolved, context.trigger
    labelled = Labelled(None)
    if model.retrain is not None and model.retrain.labelled:
        labelled = take_labelled(
            context.workspace,
            model.name,
            Shape(context.model_rows.logged_schema, resolved),
            until=_mature(context),
        )
    if labelled.snapshot is not None:
        context.note(detail={**context.run.detail, "labelled": labelled.snapshot.id})
    champion = _champion(context)
    keeps = kept_parameters_of(champion, resolved, context.project.code_digest, trigger)
    change = None if trigger is None else trigger.since
    split = None if model.retrain is None else retraining_split(context.rows, model, resolved, change)
    context.save(
        LEARNING,
        Learning(
            split=split,
            windows=window_plan(model, split, change, rows_of_first(_first(context))),
            keeps=None if keeps is None else str(keeps),
            positive=kept_positive(champion, context.rows.get_column(resolved.target)),
            findings=labelled.findings,
        ),
    )
    return "" if labelled.snapshot is None else f", and {labelled.snapshot.rows:,} labelled answers"


def _mature(context: RunContext) -> datetime | None:
    """Until when an answer must have been given for its truth to be in by now."""
    delay = context.model.label_delay
    return None if delay is None else context.workspace.clock.now() - parse_duration(delay)


def _champion(context: RunContext) -> Manifest | None:
    route = context.workspace.records.routes().of(context.model.name)
    return None if route is None else _manifest(context, route.champion)


def _first(context: RunContext) -> Manifest | None:
    """The model's first release."""
    numbers = [record.number for record in context.workspace.records.releases(context.model.name)]
    return _manifest(context, min(numbers)) if numbers else None


def _manifest(context: RunContext, number: int) -> Manifest | None:
    """`None` of one that cannot be read: a run is not to fail by its predecessors."""
    catalogue = context.workspace.catalogue
    try:
        return catalogue.manifest(catalogue.find(ReleaseRef(context.model.name, number)))
    except MainspringError:
        return None


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
