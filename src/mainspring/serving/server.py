"""uvicorn's server on the socket that all workers share: handshakes end in time, and connections in order."""

import asyncio
import socket
import ssl
from typing import Any, cast

import uvicorn

from mainspring.serving.connection import GuardedProtocol

LAST_REQUESTS = 1.0  # seconds in which open connections may send one more request before they are closed
_GOODBYE = 2.0  # seconds that a client has to answer the end of TLS


class GatewayServer(uvicorn.Server):
    """Args:
    config: as uvicorn takes it.
    tls: what the socket speaks; `None` for plain HTTP.
    handshake_timeout: seconds for a client to get through the handshake.
    """

    def __init__(
        self, config: uvicorn.Config, *, tls: ssl.SSLContext | None = None, handshake_timeout: float = 10.0
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._handshake_timeout = handshake_timeout
        self.servers = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timeouts: dict[str, Any] = (
            {}
            if self._tls is None
            else {"ssl_handshake_timeout": self._handshake_timeout, "ssl_shutdown_timeout": _GOODBYE}
        )
        for listener in sockets or []:
            server = await loop.create_server(
                self._connection, sock=listener, ssl=self._tls, backlog=self.config.backlog, **timeouts
            )
            self.servers.append(server)
        self.started = True

    def _connection(self) -> asyncio.Protocol:
        protocol = cast(type[GuardedProtocol], self.config.http_protocol_class)
        return protocol(config=self.config, server_state=self.server_state, app_state={})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connection, let each open one have its last answer, then end.

        A client that keeps its connection open does not know that we are leaving, and may just be sending. Closed
        under its hands, its request would be lost; so the next answer says `connection: close`, and only a
        connection that stays idle is closed by us.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in self._connections():
            connection.last_request()
        end = self._now() + LAST_REQUESTS
        while self._connections() and self._now() < end:
            await asyncio.sleep(0.02)
        await super().shutdown()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _connections(self) -> list[GuardedProtocol]:
        return [one for one in list(self.server_state.connections) if isinstance(one, GuardedProtocol)]
