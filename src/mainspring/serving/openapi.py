"""`/openapi.json`: every protocol's paths in one OpenAPI 3.1 document, made from the loaded releases' schemas."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mainspring.domain.release import Manifest
from mainspring.serving.exchange import HttpProtocol, Request, Response, Route
from mainspring.serving.loaded import Loaded
from mainspring.serving.pool import ReleasePool
from mainspring.serving.protocols.describing import ERROR, NATIVE_ERROR, operation, prediction_schema, row_schema
from mainspring.serving.protocols.errors import NATIVE


class OpenApi:
    """Args:
    pool: the releases.
    protocols: what is described; each owns its part of the document.
    """

    def __init__(self, pool: ReleasePool, protocols: Iterable[HttpProtocol]) -> None:
        self._pool = pool
        self._protocols = (*protocols, self)
        self._made: tuple[tuple[Loaded, ...], bytes] | None = None

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", re.compile(r"/openapi\.json"), self.document, NATIVE),)

    def paths(self, _: Sequence[Manifest]) -> dict[str, Any]:
        return {"/openapi.json": {"get": operation("This document", NATIVE_ERROR, answer={"type": "object"})}}

    async def document(self, _: Request) -> Response:
        champions = tuple(self._pool.champions[model] for model in sorted(self._pool.champions))
        if self._made is None or self._made[0] != champions:
            body = msgspec.json.encode(describe([loaded.manifest for loaded in champions], self._protocols))
            self._made = (champions, body)
        return Response(200, self._made[1])


def describe(manifests: Sequence[Manifest], protocols: Iterable[HttpProtocol]) -> dict[str, Any]:
    """The document for these releases."""
    schemas: dict[str, Any] = {"Error": ERROR}
    for manifest in manifests:
        schemas[f"{manifest.model}.Row"] = row_schema(manifest.inputs, manifest.key, manifest.views)
        schemas[f"{manifest.model}.Prediction"] = prediction_schema(manifest)
    paths: dict[str, Any] = {}
    for protocol in protocols:
        paths |= protocol.paths(manifests)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mainspring gateway", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }
