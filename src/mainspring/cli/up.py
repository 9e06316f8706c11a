"""`mainspring up`: the gateway and the controller, until Ctrl-C."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.up import Up


def up(
    session: Session,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The address to listen on [127.0.0.1].")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, metavar="N", help="The port; 0 takes a free one [8000].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="How many processes answer [1].")
    ] = None,
) -> None:
    """Run everything: answer requests, watch, retrain, prove, promote and roll back.

    Until Ctrl-C. A process that ends is started again. One controller runs for each workspace: a second one waits.
    What is not given here is taken from mainspring.toml, section [gateway].
    """
    import sys

    from mainspring.cli.serve import greeting
    from mainspring.loop import up as loop_up
    from mainspring.loop.parent import log_as
    from mainspring.serving.logs import is_json
    from mainspring.workspace import Workspace

    project = session.loaded_project()
    given = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    settings = replace(project.settings.gateway, **given)  # type: ignore[arg-type]
    json_logs = is_json(settings.log_format)
    log_as("up", as_json=json_logs)

    def announce(found: "Up") -> None:
        with Workspace(project.settings) as workspace:
            models = [route.model for route in workspace.records.routes().routes]
            keys, now = workspace.records.api_keys(), workspace.clock.now()
            live = settings.token is not None or any(key.state(now) == "live" for key in keys)
        session.output.document({"address": found.address, "workers": settings.workers, "models": models})
        is_open_to_none = bool(keys) and not live
        for line in greeting(found.address, models, keyed=live or bool(keys), open_to_none=is_open_to_none):
            session.output.line(line)
        session.output.line(describe(project.model.name, project.model.retrain is not None))
        sys.stdout.flush()

    loop_up.up(project, settings, json_logs=json_logs, announce=announce)


def describe(model: str, is_retrained: bool) -> str:
    """What the controller does beside the gateway.

    Examples:
        >>> describe("adclick", False)
        'The controller watches adclick; to have it retrained as well, give the Model a retrain=Retrain(…).'
    """
    if is_retrained:
        return f"The controller watches, retrains and proves {model}; see: mainspring status"
    return f"The controller watches {model}; to have it retrained as well, give the Model a retrain=Retrain(…)."
