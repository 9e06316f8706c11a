"""`mainspring serve`: the gateway."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.loop.served_folder import Served


def serve(
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
    from mainspring.serving.options import GatewayOptions

    given = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    with _served(session, release, trusted) as served:
        workspace = served.workspace
        settings = replace(workspace.settings.gateway, **given)  # type: ignore[arg-type]
        log_to(sys.stderr, as_json=is_json(settings.log_format))

        def announce(address: str) -> None:
            models = [route.model for route in workspace.records.routes().routes]
            session.output.document({"address": address, "workers": settings.workers, "models": models})
            keys, now = workspace.records.api_keys(), workspace.clock.now()
            live = settings.token is not None or any(key.state(now) == "live" for key in keys)
            for line in greeting(address, models, keyed=live or bool(keys), open_to_none=bool(keys) and not live):
                session.output.line(line)
            sys.stdout.flush()

        run_gateway(
            GatewayOptions(
                settings=settings,
                releases=served.releases,
                trusted=served.trusted,
                folder=workspace.gateway_folder,
                tables=workspace.settings.tables_url,
                log=workspace.settings.log,
            ),
            workspace.records,
            workspace.clock,
            announce=announce,
        )


def greeting(address: str, models: Sequence[str], *, keyed: bool, open_to_none: bool) -> list[str]:
    """What is said when the gateway listens: how to ask it.

    Args:
        keyed: requests need a key.
        open_to_none: and no key is live.

    Examples:
        >>> for line in greeting("http://0.0.0.0:8000", ["shop"], keyed=True, open_to_none=False):
        ...     print(line)
        Serving shop on http://0.0.0.0:8000; end with Ctrl-C.
          curl http://localhost:8000/predict/shop -H 'Authorization: Bearer KEY' -d '{…}'
          what it takes: http://localhost:8000/openapi.json
    """
    # What listens on every address is asked by a name.
    near = address.replace("//0.0.0.0:", "//localhost:").replace("//[::]:", "//localhost:")
    header = " -H 'Authorization: Bearer KEY'" if keyed else ""
    lines = [f"Serving {', '.join(models) or 'nothing yet'} on {address}; end with Ctrl-C."]
    lines += [f"  curl {near}/predict/{model}{header} -d '{{…}}'" for model in models]
    lines.append(f"  what it takes: {near}/openapi.json")
    if open_to_none:
        lines.append("No key is live, so nobody gets in; make one: mainspring keys create NAME --role predict")
    return lines


@contextmanager
def _served(session: Session, release: Path | None, trusted: Path | None) -> Iterator["Served"]:
    """The project's workspace, or that of a release folder, which needs no project."""
    from mainspring.errors import ProjectError
    from mainspring.loop.served_folder import Served, open_folder
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
        workspace = Workspace(settings)
        served = Served(workspace, settings.releases, workspace.keys / "trusted")
    else:
        served = open_folder(settings, place.absolute(), trusted or settings.gateway.trusted)
    with served.workspace:
        yield served
