"""`mainspring features check`: whether serving saw the features that training sees."""

from typing import Annotated

import typer

from mainspring.cli.findings import FOUND
from mainspring.cli.session import Session
from mainspring.errors import UsageError

_MOST_SHOWN = 10


def check(
    session: Session,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="The model [the project's].")] = None,
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back answers are looked at.")] = "1d",
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="So many answers at most, a sample.")] = 1000,
) -> None:
    """Compute the features of logged answers anew, and tell how many agree.

    What is found is kept as a measurement of the monitor feature_agreement. The exit code is 3 where it lies below
    that monitor's bar.
    """
    from mainspring.cli.plain import number, one_line, when
    from mainspring.domain.measurement import State
    from mainspring.domain.monitor import positive_duration
    from mainspring.loop.features.checking import check_agreement

    period = positive_duration(since, "--since")
    project = session.loaded_project()
    if model not in (None, project.model.name):
        raise UsageError(
            f"the project's model is {project.model.name!r}, not {model!r}",
            cure=f"name {project.model.name}, or none",
        )
    with session.workspace() as workspace:
        found = check_agreement(workspace, project, period=period, rows=rows)
    output = session.output
    output.document({"release": found.release, "views": found.views, "measurements": found.measurements})
    output.table(
        ["view", "answers", "agree", "bar", "state", "what"],
        [
            [view.view, f"{view.rows:,}", number(view.share), number(one.bar), one.state, one_line(one.note, 120)]
            for view, one in zip(found.views, found.measurements, strict=True)
        ],
        right=["answers", "agree", "bar"],
    )
    worst = [one for view in found.views for one in view.worst][:_MOST_SHOWN]
    if worst:
        output.table(
            ["prediction", "at", "feature", "answered with", "history gives"],
            [
                [
                    one_line(one.prediction, 60),
                    when(one.at),
                    one.feature,
                    _said(one.answered),
                    _said(one.recomputed),
                ]
                for one in worst
            ],
        )
    if any(one.state is State.BAD for one in found.measurements):
        raise typer.Exit(FOUND)


def _said(value: object) -> str:
    from mainspring.cli.plain import one_line

    return "–" if value is None else one_line(str(value), 50)
