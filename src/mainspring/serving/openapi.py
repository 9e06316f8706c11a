"""`/openapi.json`: the native protocol as an OpenAPI 3.1 document, made from the loaded releases' schemas."""

import re
from typing import Any

import msgspec

from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.pool import Loaded, ReleasePool
from mainspring.serving.protocols.errors import NATIVE

_ERRORS = {
    "400": "the body is no JSON, or not of this form",
    "401": "the request carries no valid token",
    "403": "the request comes from a page of another origin",
    "404": "there is no such model or release",
    "408": "the request took too long to arrive",
    "413": "the body is too large, or has too many rows",
    "422": "a row does not fit the model; `where` names row and field",
    "431": "the headers are too large",
    "503": "too many requests at once, or the release is not loaded; ask again",
}


class OpenApi:
    """Args:
    pool: the releases.
    """

    def __init__(self, pool: ReleasePool) -> None:
        self._pool = pool
        self._made: tuple[tuple[Loaded, ...], bytes] | None = None

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", re.compile(r"/openapi\.json"), self.document, NATIVE),)

    async def document(self, _: Request) -> Response:
        champions = tuple(self._pool.champions[model] for model in sorted(self._pool.champions))
        if self._made is None or self._made[0] != champions:
            body = msgspec.json.encode(describe([loaded.manifest for loaded in champions]))
            self._made = (champions, body)
        return Response(200, self._made[1])


def describe(manifests: list[Manifest]) -> dict[str, Any]:
    """The document for these releases."""
    paths: dict[str, Any] = {f"/predict/{manifest.model}": {"post": _predict(manifest)} for manifest in manifests}
    for path, about in (
        ("/healthz", "Whether the process answers"),
        ("/readyz", "Whether every routed model is warm"),
        ("/v1/models", "The models, as KServe V1 lists them"),
    ):
        operation = {"summary": about, "responses": {"200": {"description": "yes"}}}
        paths[path] = {"get": operation}
    paths["/readyz"]["get"]["responses"]["503"] = {"description": "no"}
    schemas: dict[str, Any] = {"Error": _ERROR}
    for manifest in manifests:
        schemas[f"{manifest.model}.Row"] = row_schema(manifest.inputs)
        schemas[f"{manifest.model}.Prediction"] = _prediction_schema(manifest)
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


def row_schema(inputs: tuple[InputField, ...]) -> dict[str, Any]:
    """The JSON schema of one row: every field is sent, unknown values as null."""
    return {
        "type": "object",
        "properties": {field.name: _field_schema(field) for field in inputs},
        "required": [field.name for field in inputs],
        "additionalProperties": False,
    }


def _field_schema(field: InputField) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.kind is Kind.NUMBER:
        schema = {"type": "number"}
    elif field.kind is Kind.INTEGER:
        schema = {"type": "integer"}
    elif field.kind is Kind.BOOLEAN:
        schema = {"type": "boolean"}
    elif field.kind is Kind.TIME and (field.time_format or "").startswith("epoch"):
        schema = {"type": "number"}
    elif field.kind is Kind.TIME:
        schema = {"type": "string", "format": "date-time"}
    else:
        schema = {"type": "string"}
    if not field.required:
        schema["type"] = [schema["type"], "null"]
    if field.categories:
        schema["examples"] = list(field.categories[:10])
    elif field.minimum is not None and field.maximum is not None and field.kind.is_numeric:
        schema["examples"] = [field.minimum, field.maximum]
    if field.description:
        schema["description"] = field.description
    return schema


def _prediction_schema(manifest: Manifest) -> dict[str, Any]:
    if not manifest.output.classes:
        return {"type": "object", "properties": {"prediction": {"type": "number"}}, "required": ["prediction"]}
    classes = list(manifest.output.classes)
    probabilities = {
        "type": "object",
        "properties": {label: {"type": "number", "minimum": 0, "maximum": 1} for label in classes},
        "required": classes,
    }
    return {
        "type": "object",
        "properties": {"prediction": {"type": "string", "enum": classes}, "probabilities": probabilities},
        "required": ["prediction", "probabilities"],
    }


def _predict(manifest: Manifest) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{manifest.model}.Row"}
    rows = {"type": "array", "items": row, "minItems": 1}
    wrapped = {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}
    answer = {
        "type": "object",
        "properties": {
            "model": {"const": manifest.model},
            "release": {"type": "string"},
            "id": {"type": "string"},
            "predictions": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{manifest.model}.Prediction"},
            },
        },
        "required": ["model", "release", "id", "predictions"],
    }
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "operationId": f"predict_{manifest.model}",
        "summary": f"Predict {manifest.target} ({manifest.task}), answered by {manifest.ref}",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [row, rows, wrapped]}}},
        },
        "responses": {
            "200": {"description": "the predictions", "content": {"application/json": {"schema": answer}}},
            **{status: {"description": about, "content": error} for status, about in _ERRORS.items()},
        },
    }


_ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "cure": {"type": "string"},
        "where": {"type": "object"},
    },
    "required": ["error", "message"],
}
