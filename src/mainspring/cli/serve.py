"""`mainspring serve`: the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.listening import Host, Port, Workers, listening_at, tell_address
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.releases.served_folder import Served


def serve(
    session: Session,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    release: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A release folder to serve, without a project.")
    ] = None,
    trusted: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The public keys for it; else `trusted` beside it.")
    ] = None,
) -> None:
    """Answer requests by the champions.

    Until Ctrl-C; a new champion is taken over without dropping a request. What is not given here is taken from
    mainspring.toml, section [gateway].
    """
    import sys

    from mainspring.serving.gateway import run_gateway
    from mainspring.serving.logs import is_json, log_to

    with _served(session, release, trusted) as served:
        workspace = served.workspace
        settings = listening_at(workspace.settings.gateway, host, port, workers)
        log_to(sys.stderr, as_json=is_json(settings.log_format))
        records, clock = workspace.gateway_records(), workspace.clock
        run_gateway(
            served.options(settings),
            records,
            clock,
            announce=lambda address: tell_address(session, records, settings, address, clock.now()),
        )


@contextmanager
def _served(session: Session, release: Path | None, trusted: Path | None) -> Iterator["Served"]:
    """The project's workspace, or that of a release folder, which needs no project."""
    from mainspring.errors import ProjectError
    from mainspring.loop.releases.served_folder import Served, open_folder
    from mainspring.settings import load_settings
    from mainspring.workspace import Workspace

    try:
        settings = session.project().settings
    except ProjectError:
        settings = load_settings(session.start, session.environ)
        if release is None and settings.gateway.release is None:
            raise
    place = release or settings.gateway.release
    if place is None:
        served = Served.of(Workspace(settings))
    else:
        served = open_folder(settings, place.absolute(), trusted or settings.gateway.trusted)
    with served.workspace:
        yield served
