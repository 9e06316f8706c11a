"""`mainspring simulate`: what the loop would have done on a recorded stream, before it is trusted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.simulation.outcome import Simulated

_STRETCHES = 20


def simulate(
    session: Session,
    data: Annotated[
        list[str],
        typer.Option(
            "--data", metavar="FILE…", help="The recorded stream: files or globs, as the source has them."
        ),
    ],
    label_delay: Annotated[
        str, typer.Option("--label-delay", metavar="TIME|ROWS", help="When a truth is known: 1d or `500 rows`.")
    ] = "0 rows",
    start: Annotated[
        int, typer.Option(min=100, metavar="ROWS", help="The first rows, which the first release learns from.")
    ] = 5_000,
    speed: Annotated[
        float | None,
        typer.Option(min=1e-3, metavar="ROWS", help="Rows an hour, where the source has no column of times."),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            "--schedule", metavar="TIME|ROWS", help="Compare with trainings every 7d, or every `2500 rows`."
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Instead of the model's own.")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of each search, e.g. 60s or `5 trials`.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the picture goes; else simulation.html.")
    ] = None,
) -> None:
    """Play a recorded stream through the model's monitors, triggers, trainings and rollout.

    The same code as in production, in a workspace of its own and by a clock that is put on; nothing of the project
    is touched. It tells what would have been trained when and why, what that cost, and what it brought, beside no
    training at all and beside plain trainings by a schedule.
    """
    from mainspring.cli.simulate_progress import SimulationProgress
    from mainspring.loop.simulation.delay import LabelDelay
    from mainspring.loop.simulation.page import simulation_html
    from mainspring.loop.simulation.schedules import parse_schedule
    from mainspring.loop.simulation.simulate import SimulationPlan, schedules_of
    from mainspring.loop.simulation.simulate import simulate as play
    from mainspring.settings import parse_budget

    project = session.loaded_project()
    plan = SimulationPlan(
        files=tuple(data),
        start=start,
        delay=LabelDelay.parse(label_delay),
        rows_an_hour=speed,
        schedules=schedules_of([parse_schedule(one) for one in schedule or ()], start),
        budget=None if budget is None else parse_budget(budget, "--budget"),
        metric=metric,
    )
    with SimulationProgress(session.output) as progress:
        found = play(project, plan, told=progress.turned)
    place = report or Path("simulation.html")
    place.write_text(simulation_html(found), encoding="utf-8")
    session.output.document(_json(found, place))
    _tell(session, found, place)
    if project.model.retrain is not None and "new_data" in project.model.retrain.on:
        session.output.note('Retrain(on="new_data") started nothing here: what is new is the stream itself')


def _json(found: "Simulated", place: Path) -> dict[str, Any]:
    from mainspring.loop.simulation.quality import in_all, over_time

    return {
        "model": found.model,
        "rows": len(found.truth),
        "metric": found.metric,
        "courses": [
            {
                "name": one.name,
                "value": in_all(found, one),
                "trainings": one.trainings,
                "seconds": one.seconds,
                "over_time": [{"row": row, "value": value} for row, value in over_time(found, one, _STRETCHES)],
            }
            for one in found.courses
        ],
        "trainings": found.trainings,
        "changes": [{"harmful": one.was_harmful, "change": one} for one in found.changes],
        "alerts": [{"monitor": name, "at": at} for name, at in found.alerts],
        "seconds": found.seconds,
        "held": found.held,
        "report": str(place),
    }


def _tell(session: Session, found: "Simulated", place: Path) -> None:
    from mainspring.cli.plain import counted, number, when
    from mainspring.loop.simulation.page import told_gain
    from mainspring.loop.simulation.quality import in_all

    output = session.output
    output.table(
        ["", found.metric, "trainings", "processor seconds"],
        [
            [one.name, number(in_all(found, one)), f"{one.trainings:,}", number(one.seconds)]
            for one in found.courses
        ],
        title=f"{found.model} over {counted(len(found.truth), 'row')}",
        right=[found.metric, "trainings", "processor seconds"],
    )
    if found.trainings:
        output.table(
            ["row", "at", "why", "what came of it"],
            [
                [
                    f"{one.row:,}",
                    when(one.at),
                    f"{one.kind}: {one.reason}",
                    one.problem or (f"release {one.release}" if one.release is not None else one.state),
                ]
                for one in found.trainings
            ],
            title="Trainings",
            right=["row"],
        )
    for one in found.changes:
        output.line(
            f"From row {one.row:,} on release {one.after} answered in place of {one.before}: {told_gain(one)}"
        )
    if found.held:
        output.line(f"At the end a training was held: {found.held}")
    if found.alerts and not found.trainings:
        names = ", ".join(sorted({name for name, _ in found.alerts}))
        output.line(f"Alerts fired ({names}), and nothing was trained; see Retrain(on=…) in model.py")
    output.line(f"The whole loop took {number(found.seconds)} processor seconds. The picture is in {place}")
