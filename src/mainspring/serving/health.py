"""Whether this gateway lives, whether it is ready, and what it counts."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.features import Features
from mainspring.serving.meters import Meters
from mainspring.serving.pool import ReleasePool
from mainspring.serving.protocols.describing import NATIVE_ERROR, operation
from mainspring.serving.protocols.errors import NATIVE

_ENCODE = msgspec.json.Encoder().encode
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Health:
    """Args:
    pool: the releases.
    meters: the counts.
    features: how it stands with the online store.
    """

    def __init__(self, pool: ReleasePool, meters: Meters, features: Features) -> None:
        self._pool = pool
        self._meters = meters
        self._features = features

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", re.compile(r"/healthz"), self.alive, NATIVE, open=True),
            Route("GET", re.compile(r"/"), self.alive, NATIVE, open=True),
            Route("GET", re.compile(r"/readyz"), self.ready, NATIVE, open=True),
            Route("GET", re.compile(r"/metrics"), self.metrics, NATIVE, needs=Role.READ),
        )

    def paths(self, _: Sequence[Manifest]) -> dict[str, Any]:
        document = {"type": "object"}
        alive = operation("Whether the process answers", NATIVE_ERROR, answer=document)
        ready = operation("Whether every routed model is warm", NATIVE_ERROR, answer=document)
        ready["responses"]["503"] = {"description": "no", "content": {"application/json": {"schema": document}}}
        metrics = operation(
            "What the workers count, for Prometheus", NATIVE_ERROR, answer={"type": "string"}, media="text/plain"
        )
        return {
            "/": {"get": alive},
            "/healthz": {"get": alive},
            "/readyz": {"get": ready},
            "/metrics": {"get": metrics},
        }

    async def alive(self, _: Request) -> Response:
        """The worker answers; in the words of KServe V1."""
        return Response(200, b'{"status":"alive"}')

    async def ready(self, request: Request) -> Response:
        """200 when every routed model has a warm release; to those who may read, also what was refused and why."""
        pool = self._pool
        if not request.may(Role.READ):
            return Response(200 if pool.ready else 503, _ENCODE({"ready": pool.ready}))
        document = {
            "ready": pool.ready,
            "generation": pool.generation,
            "models": {model: loaded.ref for model, loaded in sorted(pool.champions.items())},
            "refused": [{"release": refusal.ref, "reason": refusal.reason} for refusal in pool.refused],
            "log": self._meters.log_health(),
        }
        found = self._meters.features_of()
        if found or self._features.trouble:
            document["features"] = {"trouble": self._features.trouble, "views": found}
        if not pool.ready and not pool.refused:
            routed = bool(pool.table and pool.table.champions)
            document["reason"] = "releases are being loaded" if routed else "no release has been promoted yet"
        return Response(200 if pool.ready else 503, _ENCODE(document))

    async def metrics(self, _: Request) -> Response:
        """Of all workers together."""
        text = await asyncio.to_thread(_exposition, self._meters, self._meters.content())
        return Response(200, text, content_type=_TEXT)


def _exposition(meters: Meters, own: bytes) -> bytes:
    from mainspring.serving.exposition import exposition

    return exposition(meters.everything(own), meters.folder)
