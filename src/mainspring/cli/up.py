"""`mainspring up`: the gateway and the controller, until Ctrl-C."""

from typing import TYPE_CHECKING

from mainspring.cli.listening import Host, Port, Workers, listening_at, tell_address
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.processes.up import Up


def up(
    session: Session,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
) -> None:
    """Run everything: answer requests, watch, retrain, prove, promote and roll back.

    Until Ctrl-C. A process that ends is started again. One controller runs for each workspace: a second one waits.
    What is not given here is taken from mainspring.toml, section [gateway].
    """
    import sys

    from mainspring.loop.processes import up as loop_up
    from mainspring.loop.processes.parent import log_as
    from mainspring.serving.logs import is_json
    from mainspring.workspace import Workspace

    project = session.loaded_project()
    settings = listening_at(project.settings.gateway, host, port, workers)
    json_logs = is_json(settings.log_format)
    log_as("up", as_json=json_logs)

    def announce(found: "Up") -> None:
        with Workspace(project.settings) as workspace:
            tell_address(session, workspace.records, settings, found.address, workspace.clock.now())
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
