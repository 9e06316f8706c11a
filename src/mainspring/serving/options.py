"""What the gateway is told by the one who starts it."""

from dataclasses import dataclass, field
from pathlib import Path

from mainspring.errors import UsageError
from mainspring.settings import GatewaySettings, LogSettings


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Where the gateway listens, what it lets in, and where it finds releases.

    Attributes:
        settings: address, limits and token.
        releases: the folder under which the routes' places lie.
        trusted: the folder of public keys (`*.pub`) whose releases are served.
        folder: where the gateway keeps its own files; made where absent.
        tables: the URL of the tables, to which predictions, labels and pushed rows go.
        features: the URL of the online store.
        log: how the prediction log is kept.
    """

    settings: GatewaySettings
    releases: Path
    trusted: Path
    folder: Path
    tables: str
    features: str
    log: LogSettings = field(default_factory=LogSettings)

    def check(self, *, has_keys: bool) -> None:
        """Raises `UsageError` when nobody could ask: reachable from other machines, without key and token."""
        if self.settings.platform == "sagemaker":
            return  # who may ask is SageMaker's to say: without a key there is nothing but what it asks for
        if not self.settings.is_loopback and not self.settings.token and not has_keys:
            raise UsageError(
                f"the address {self.settings.host} can be reached from other machines, and no token is set",
                cure="create a key with `mainspring keys create NAME --role predict`, or set "
                "MAINSPRING_GATEWAY_TOKEN (16 or more characters), and send it as `Authorization: Bearer …`; or "
                "listen on 127.0.0.1",
                where={"host": self.settings.host},
            )
