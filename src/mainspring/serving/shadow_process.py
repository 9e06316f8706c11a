"""The shadow process as the gateway's parent sees it: there only while some release is a shadow."""

import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mainspring.clock import Clock
from mainspring.serving.options import GatewayOptions
from mainspring.serving.orders import ShadowOrders
from mainspring.serving.supervisor import ChildProcess
from mainspring.serving.table import Table

_GRACE = 5.0  # seconds beyond its time for a batch before a silent one is ended


class ShadowProcess(ChildProcess):
    """The place of the shadow process, and the sockets through which the workers reach it.

    We hold both ends of each socket open, so that either side can be started anew and the other notices nothing.
    """

    def __init__(self, options: GatewayOptions, table: Path, environment: Mapping[str, str], clock: Clock) -> None:
        self._pairs = [socket.socketpair() for _ in range(options.settings.workers)]
        streams = tuple(theirs.fileno() for _, theirs in self._pairs)
        orders = ShadowOrders.of(options, table=table, streams=streams)
        super().__init__(
            "mainspring.serving.shadow",
            "the shadow process",
            msgspec.json.encode(orders),
            streams,
            environment,
            clock,
            silent=orders.timeout + _GRACE,
        )
        self._needed = False

    def end_of(self, slot: int) -> int:
        """The file descriptor of the socket into which a worker writes."""
        return self._pairs[slot][0].fileno()

    def follow(self, table: Table) -> None:
        """Be there when some release is a shadow, and only then."""
        self._needed = any(rules.shadows for rules in table.rules.values())
        if not self._needed:
            self.stop()

    def start_if_due(self) -> bool:
        return self._needed and super().start_if_due()

    def close(self) -> None:
        """Give the sockets back."""
        for ours, theirs in self._pairs:
            ours.close()
            theirs.close()
