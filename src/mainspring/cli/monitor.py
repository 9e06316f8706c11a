"""`mainspring monitor`: watch the models, report on one, compare two tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.findings import FOUND, tell_findings
from mainspring.cli.session import Session, verb
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.loop.watching import Look

app = typer.Typer(
    name="monitor",
    help="Watch the model, report on it, compare two tables.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def run(
    session: Session,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="How often to look whether a monitor is due.")
    ] = "1m",
) -> None:
    """Run the monitors that model.py declares, and send their alerts.

    Until Ctrl-C. What they measure is kept for `monitor report` and told by the gateway's /metrics; who is told of
    alerts stands in mainspring.toml, section [alerts]. With --once the exit code is 3 while an alert is firing.
    """
    from mainspring.domain.alert import AlertState
    from mainspring.domain.monitor import positive_duration
    from mainspring.loop.watching import Watch

    pause = positive_duration(every, "--every")
    project = session.loaded_project()
    model = project.model
    with session.workspace() as workspace, Watch(workspace, model, project) as watch:
        if not once:
            session.output.note(f"Watching {model.name} by {len(model.watched)} monitors; end with Ctrl-C.")
            watch.until_stopped(pause, lambda look: _tell(session, look))
            return
        look = watch.look()
        firing = workspace.records.alerts(model.name, states=(AlertState.FIRING,))
    session.output.document(
        {
            "model": look.model,
            "rows": look.rows,
            "measurements": look.measurements,
            "silence": look.silence or None,
            "events": [{"kind": event.kind, "monitor": event.alert.monitor} for event in look.events],
            "firing": [{"id": alert.id, "monitor": alert.monitor} for alert in firing],
        }
    )
    _tell(session, look)
    if not look.measurements:
        session.output.line(f"{model.name}: {look.silence}.")
    for alert in firing:
        session.output.line(f"firing: {alert.monitor}; see: mainspring alerts show {alert.id}")
    if firing:
        raise typer.Exit(FOUND)


def report(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one page that needs nothing else.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back.")] = "7d",
) -> None:
    """Show what changed, since when, and whether it hurts."""
    from mainspring.domain.monitor import positive_duration
    from mainspring.loop.reporting import model_report
    from mainspring.monitoring.report.html import report_html
    from mainspring.monitoring.report.json import report_to_dict
    from mainspring.monitoring.report.text import report_text
    from mainspring.stores.atomic import write_atomic

    period = positive_duration(since, "--since")
    with session.workspace() as workspace:
        found = model_report(workspace, model, period)
    if html is not None:
        write_atomic(html.absolute(), report_html(found).encode(), role="the report")
    session.output.document({**report_to_dict(found), "html": None if html is None else str(html)})
    session.output.render(report_text(found))
    if html is not None:
        session.output.line(f"The page is {html}")


def compare(
    session: Session,
    a: Annotated[str, typer.Argument(metavar="A", help="The table that is known: a file, glob or Delta table.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The table that is new.")],
    column: Annotated[
        list[str], typer.Option(metavar="NAME", help="Only this column; may be given several times.")
    ] = [],  # noqa: B006 - read only
    method: Annotated[
        str, typer.Option(metavar="NAME", help="How to compare; by kind and number of rows where not given.")
    ] = "auto",
    at_most: Annotated[
        float | None, typer.Option(min=0, metavar="EFFECT", help="The greatest effect that does not matter.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one page that needs nothing else.")
    ] = None,
) -> None:
    """Compare any two tables, column by column; no model and no project is needed.

    Exit code 3 where they differ, or where it cannot be said.
    """
    from mainspring.cli.plain import number
    from mainspring.domain.measurement import State
    from mainspring.domain.monitor import DRIFT_METHODS
    from mainspring.domain.source import Source
    from mainspring.monitoring.comparison.comparison import compare_tables

    methods = [name for name in DRIFT_METHODS if name != "classifier"]
    if method not in methods:
        raise UsageError(f"--method {method} is not known", cure=f"use one of: {', '.join(methods)}")
    found = compare_tables(
        Source((a,)),
        Source((b,)),
        session.start,
        columns=column or None,
        method=method,
        at_most=at_most,
        environ=session.environ,
    )
    if html is not None:
        from mainspring.monitoring.comparison.page import comparison_html
        from mainspring.stores.atomic import write_atomic

        write_atomic(html.absolute(), comparison_html(found).encode(), role="the page")
    output = session.output
    output.document(
        {
            "a": found.names[0],
            "b": found.names[1],
            "rows": found.rows,
            "state": found.state,
            "headline": found.headline,
            "columns": [
                {
                    "name": one.name,
                    "kinds": one.kinds,
                    "state": one.state,
                    "note": one.note,
                    "method": one.judged.component.method if one.judged else None,
                    "effect": one.judged.component.effect if one.judged else None,
                    "bar": one.judged.bar if one.judged else None,
                    "p_value": one.judged.p_value if one.judged else None,
                    "example": one.example,
                }
                for one in found.columns
            ],
        }
    )
    output.line(found.headline)
    output.table(
        ["column", "kind", "state", "by", "effect", "bar", "what"],
        [
            [
                one.name,
                one.kinds[1] or one.kinds[0] or "–",
                one.state,
                one.judged.component.method if one.judged else "–",
                number(one.judged.component.effect) if one.judged else "–",
                number(one.judged.bar) if one.judged else "–",
                one.note,
            ]
            for one in found.columns
        ],
        right=("effect", "bar"),
    )
    if html is not None:
        output.line(f"The page is {html}")
    if found.state is not State.FINE:
        raise typer.Exit(FOUND)


def dashboards(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")],
) -> None:
    """Write Grafana dashboards and Prometheus alert rules for this project's model and for the gateway."""
    import json

    from mainspring.deploy.grafana import dashboards as grafana
    from mainspring.deploy.prometheus_rules import prometheus_rules
    from mainspring.stores.atomic import write_atomic

    model = session.loaded_project().model
    watched = {model.name: model.watched}
    files = {f"grafana/{name}.json": json.dumps(board, indent=2) for name, board in grafana(watched).items()}
    files["prometheus/mainspring.rules.yml"] = prometheus_rules(watched)
    for name, content in files.items():
        place = folder.absolute() / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, content.encode(), role="the dashboards")
    session.output.document({"files": [str(folder / name) for name in files]})
    for name in files:
        session.output.line(str(folder / name))


def _tell(session: Session, look: "Look") -> None:
    """What a look found, for people."""
    if look.measurements:
        session.output.line(f"{look.model}: {look.rows:,} new answers")
    tell_findings(session.output, look.measurements, look.events)


for _function in (run, report, compare, dashboards):
    app.command()(verb(_function))
