"""The part of the records' port that concerns the gateway."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mainspring.domain.access import ApiKey
from mainspring.domain.routing import Routes


class GatewayRecords(Protocol):
    """What answers, who may ask, and which workers live.

    Law: that of `Records`.
    """

    def routes(self) -> Routes:
        """All routes at the present generation."""
        ...

    def api_keys(self) -> Sequence[ApiKey]:
        """Every key that was ever created, the revoked ones too."""
        ...

    def heartbeat(
        self,
        worker: str,
        gateway: str,
        generation: int,
        *,
        ttl: float,
        behind: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """A gateway worker says that it lives and which route generation it answers by.

        Args:
            behind: the models for which it answers by an older generation, because a release was refused.
        """
        ...

    def forget_worker(self, worker: str) -> None: ...
