"""`mainspring features`: the feature views, their history, and what the online store has of them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.features_check import check
from mainspring.cli.features_rows import get, history, push
from mainspring.cli.session import Session, verb

if TYPE_CHECKING:
    from mainspring.connection_features import Features
    from mainspring.workspace import Workspace

app = typer.Typer(
    name="features",
    help="Feature views: list, show, join history, materialize, get, push, check.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def list_views(session: Session) -> None:
    """List the feature views of model.py, and how far each is in the online store."""
    from mainspring.cli.features_words import far, users_of
    from mainspring.connection_features import Features

    project = session.loaded_project()
    with session.workspace() as workspace:
        features = Features(workspace, project)
        known, now, users = features.newest(), workspace.clock.now(), users_of(workspace)
        views = [_view(features, name, known, users) for name in features.views]
    session.output.document({"views": views})
    if not views:
        session.output.line("model.py declares no feature views.")
        return
    session.output.table(
        ["view", "key", "features", "entities", "in the online store", "used by"],
        [
            [
                view["view"],
                ", ".join(view["keys"]),
                ", ".join(view["features"]),
                "–" if view["materialised"] is None else f"{view['materialised'].keys:,}",
                far(view["materialised"], now),
                ", ".join(view["releases"]) or "–",
            ]
            for view in views
        ],
        right=["entities"],
    )


def show(
    session: Session,
    view: Annotated[str, typer.Argument(metavar="VIEW", help="The view.")],
) -> None:
    """Show one view: what it is, its features, where they come from, and which releases use them."""
    from mainspring.cli.features_words import far, lineage_lines, users_of
    from mainspring.cli.plain import when
    from mainspring.connection_features import Features
    from mainspring.data.snapshots import describe
    from mainspring.domain.feature_view import FeatureView

    project = session.loaded_project()
    with session.workspace() as workspace:
        features = Features(workspace, project)
        declared = features.view(view)
        definition = features.offline.definition(declared)
        found, now = features.newest().get(view), workspace.clock.now()
        users = users_of(workspace)
        over = [one.name for one in features.views.values() if one.source is declared]
        pushed = _pushed(workspace, declared.base.name)
    kept = definition.id if found is not None and found.id == definition.id else None
    source = describe(declared.root)
    by_feature = {
        name: [user.release for user in users.get(view, []) if name in user.features] for name in definition.names
    }
    session.output.document(
        {
            "view": view,
            "id": definition.id,
            "keys": [{"name": key.name, "kind": key.kind} for key in definition.keys],
            "source": source,
            "over": declared.source.name if isinstance(declared.source, FeatureView) else None,
            "views_over_it": over,
            "pushed": pushed,
            "ttl": declared.ttl,
            "schedule": declared.schedule,
            "freshness": declared.freshness,
            "owner": declared.owner,
            "description": declared.description,
            "features": [
                {
                    "name": feature.name,
                    "kind": feature.kind,
                    "default": feature.default,
                    "personal": declared.personal.get(feature.name),
                    "made_by": _made_by(declared, feature.name),
                    "releases": by_feature[feature.name],
                }
                for feature in definition.features
            ],
            "materialised": found,
            "releases": [user.release for user in users.get(view, [])],
        }
    )
    facts = {
        "view": f"{view} ({definition.id})",
        "what": declared.description or "–",
        "owner": declared.owner or "–",
        "keys": ", ".join(f"{key.name} ({key.kind})" for key in definition.keys),
        "source": source + (f", and {pushed:,} rows that were pushed" if pushed else ""),
        "lifetime": declared.ttl or "for ever",
        "schedule": declared.schedule or "by hand",
        "freshness": f"at most {declared.freshness}" if declared.freshness else "–",
        "online": far(found, now) + ("" if kept or found is None else "; of another definition"),
        "newest": "–" if found is None else when(found.newest_event),
    }
    if found is not None and found.trouble:
        facts["trouble"] = found.trouble
    for remark in found.remarks if found is not None else ():
        facts[f"remark {len(facts)}"] = remark
    for name, value in facts.items():
        session.output.line(f"{name:<10} {value}")
    session.output.table(
        ["feature", "kind", "from", "default", "personal", "used by"],
        [
            [
                feature.name,
                feature.kind,
                _made_by(declared, feature.name),
                "–" if feature.default is None else feature.default,
                declared.personal.get(feature.name, "–"),
                ", ".join(by_feature[feature.name]) or "–",
            ]
            for feature in definition.features
        ],
    )
    for line in lineage_lines(declared, over, users.get(view, [])):
        session.output.line(line)


def materialize(
    session: Session,
    views: Annotated[
        list[str] | None, typer.Argument(metavar="VIEW…", help="Which views; all of them where not given.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every entity, not only at what came since.")
    ] = False,
) -> None:
    """Bring the online store up to now.

    Only entities whose features have changed are written. It may be interrupted and started again at any time.
    """
    from mainspring.cli.features_words import far
    from mainspring.cli.score_progress import RowProgress
    from mainspring.connection_features import Features

    project = session.loaded_project()
    with session.workspace() as workspace, RowProgress(session.output) as bar:
        features = Features(workspace, project)
        done = features.materialize(*views or (), full=full, written=bar.advance)
        now = workspace.clock.now()
    session.output.document({"views": done})
    if not done:
        session.output.line("model.py declares no feature views.")
        return
    session.output.table(
        ["view", "rows read", "written", "removed", "entities", "in the online store"],
        [
            [one.view, f"{one.read:,}", f"{one.written:,}", f"{one.removed:,}", f"{one.keys:,}", far(one, now)]
            for one in done
        ],
        right=["rows read", "written", "removed", "entities"],
    )
    for remark in dict.fromkeys(remark for one in done for remark in one.remarks):
        session.output.line(f"warning: {remark}")


def _view(features: "Features", name: str, known: Any, users: Any) -> dict[str, Any]:
    declared = features.views[name]
    return {
        "view": name,
        "keys": declared.keys,
        "features": list(features.names(declared)),
        "owner": declared.owner,
        "description": declared.description,
        "schedule": declared.schedule,
        "freshness": declared.freshness,
        "materialised": known.get(name),
        "releases": [user.release for user in users.get(name, [])],
    }


def _pushed(workspace: "Workspace", view: str) -> int:
    from mainspring.features.push import APPLICATION, pushed_table

    return workspace.tables.offset(pushed_table(view), APPLICATION)


def _made_by(view: Any, feature: str) -> str:
    """What gives a feature: a function, an aggregation, a column of the source or a feature of the view below."""
    for function in view.functions:
        if feature in function.gives:
            return f"{function.function.__name__}()"
    for one in view.aggregations:
        if one.name == feature:
            return f"{one.function} of {one.column or 'events'} over {one.over}"
    return f"column {feature}" if view.base is view else f"{view.source.name}.{feature}"


for _name, _verb in (
    ("list", list_views),
    ("show", show),
    ("history", history),
    ("materialize", materialize),
    ("get", get),
    ("push", push),
    ("check", check),
):
    app.command(_name)(verb(_verb))
