"""What `serve` and `up` share: where the gateway listens, and what is said when it does."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.ports_gateway import GatewayRecords
    from mainspring.settings import GatewaySettings

Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on [127.0.0.1].")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, metavar="N", help="The port; 0 takes a free one [8000].")
]
Workers = Annotated[int | None, typer.Option(min=1, max=256, metavar="N", help="How many processes answer [1].")]


def listening_at(
    settings: "GatewaySettings", host: str | None, port: int | None, workers: int | None
) -> "GatewaySettings":
    """The settings, with what was given on the command line in place of theirs."""
    given = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    return replace(settings, **given)  # type: ignore[arg-type]


def tell_address(
    session: Session, records: "GatewayRecords", settings: "GatewaySettings", address: str, now: datetime
) -> None:
    """Say that the gateway listens there, and how to ask it."""
    models = [route.model for route in records.routes().routes]
    session.output.document({"address": address, "workers": settings.workers, "models": models})
    keys = records.api_keys()
    live = settings.token is not None or any(key.state(now) == "live" for key in keys)
    for line in greeting(address, models, keyed=live or bool(keys), open_to_none=bool(keys) and not live):
        session.output.line(line)
    sys.stdout.flush()


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
