"""`mainspring serve`: the gateway."""

from dataclasses import replace
from typing import Annotated

import typer

from mainspring.cli.session import Session


def serve(
    session: Session,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, metavar="N", help="The port; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="How many processes answer.")
    ] = None,
) -> None:
    """Answer requests by the champions.

    Until Ctrl-C; a new champion is taken over without dropping a request.
    """
    import logging
    import sys

    from mainspring.serving.gateway import run_gateway
    from mainspring.serving.options import GatewayOptions

    given = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)

    with session.workspace() as workspace:
        settings = replace(workspace.settings.gateway, **given)  # type: ignore[arg-type]

        def announce(address: str) -> None:
            models = [route.model for route in workspace.records.routes().routes]
            session.output.document({"address": address, "workers": settings.workers, "models": models})
            session.output.line(f"Serving {', '.join(models) or 'nothing yet'} on {address}; end with Ctrl-C.")
            for model in models:
                session.output.line(
                    f"  curl {address}/predict/{model} -d '{{…}}'    what it takes: {address}/openapi.json"
                )
            sys.stdout.flush()

        run_gateway(
            GatewayOptions(
                settings=settings,
                releases=workspace.settings.releases,
                trusted=workspace.keys / "trusted",
                folder=workspace.gateway_folder,
            ),
            workspace.records,
            workspace.clock,
            announce=announce,
        )
