"""MLflow's scoring server, which is also SageMaker's contract: `POST /invocations`, `GET /ping`.

JSON with exactly one of `dataframe_split`, `dataframe_records`, `instances` (rows) and `inputs` (columns or rows),
or a CSV with a header. The answer is `{"predictions": […]}`: labels, or the values of a regression; with
`"params": {"predict_method": "predict_proba"}` lists of probabilities in the order of the classes. The path names
no model: it is that of the setting `gateway.default_model`, or the only one that there is.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mainspring.domain.release import Manifest
from mainspring.errors import MalformedRequest, Unavailable, UnsupportedMedia
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.loaded import Loaded
from mainspring.serving.protocols.body import decode_json_with_nan
from mainspring.serving.protocols.csv_rows import rows_of_csv
from mainspring.serving.protocols.describing import Schema, operation, row
from mainspring.serving.protocols.errors import MLFLOW
from mainspring.serving.protocols.rows import named_rows, rows_of_columns
from mainspring.version import VERSION

_ENCODE = msgspec.json.Encoder().encode
_ERROR: Schema = {
    "type": "object",
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}
_METHODS = ("predict", "predict_proba")


class MlflowProtocol:
    """Args:
    plane: the predict use case.
    default_model: which model answers; `None` means the only one.
    open_to_all: predictions need no key, because the platform in front says who may ask.
    """

    def __init__(self, plane: Dataplane, *, default_model: str | None = None, open_to_all: bool = False) -> None:
        self._plane = plane
        self._open = open_to_all
        self._default_model = default_model

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", re.compile(r"/invocations"), self.invocations, MLFLOW, open=self._open),
            Route("GET", re.compile(r"/ping"), self.ping, MLFLOW, open=True),
            Route("GET", re.compile(r"/health"), self.ping, MLFLOW, open=True),
            Route("GET", re.compile(r"/version"), self.version, MLFLOW),
        )

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        ping = operation("Whether every routed model is warm", _ERROR)
        version = operation("Mainspring's version", _ERROR, answer={"type": "string"}, media="text/plain")
        found: dict[str, Any] = {"/ping": {"get": ping}, "/health": {"get": ping}, "/version": {"get": version}}
        chosen = [manifest for manifest in manifests if manifest.model == self._default_model] or list(manifests)
        if chosen:
            found["/invocations"] = {"post": _described(chosen)}
        return found

    async def invocations(self, request: Request) -> Response:
        release = self._release()
        method, rows = self._read(request, release.manifest)
        answer = await self._plane.predict(request, release, rows)
        release = answer.release
        spec = release.manifest.output
        if method == "predict_proba" and not spec.classes:
            raise MalformedRequest("a regression has no probabilities", cure="leave out predict_method")
        found = answer.outputs if method == "predict_proba" else spec.decide_all(answer.outputs)
        return Response(200, _ENCODE({"predictions": found}), model=release.model, release=release.ref)

    async def ping(self, _: Request) -> Response:
        """200 when every routed model has a warm release."""
        if not self._plane.pool.ready:
            raise Unavailable("the models are not loaded", cure="ask again in a moment; /readyz tells more")
        return Response(200, b'{"ready":true}')

    async def version(self, _: Request) -> Response:
        return Response(200, VERSION.encode(), content_type=b"text/plain; charset=utf-8")

    def _release(self) -> Loaded:
        if self._default_model is not None:
            return self._plane.champion(self._default_model)
        models = self._plane.models
        if len(models) == 1:
            return self._plane.champion(models[0])
        if not models:
            raise Unavailable("no release has been promoted yet", cure="promote one with `mainspring promote`")
        raise MalformedRequest(
            f"{len(models)} models are served here, and /invocations does not say which is meant",
            cure="set gateway.default_model, or POST to /predict/MODEL",
        )

    def _read(self, request: Request, manifest: Manifest) -> tuple[str, list[Any]]:
        kind = _media_type(request.headers.get(b"content-type", b"application/json"))
        if kind == "text/csv":
            return "predict", rows_of_csv(request.body, manifest.logged, self._plane.check_count)
        if kind == "application/json":
            document = decode_json_with_nan(request.body)
            names = tuple(field.name for field in manifest.inputs)
            rows = rows_of(document, names)
            return _method(document), rows
        raise UnsupportedMedia(
            f"the content type {kind[:80]!r} is not taken", cure="send application/json or text/csv"
        )


def _media_type(header: bytes) -> str:
    """Raises `UnsupportedMedia` where a parameter is not understood, as MLflow does."""
    kind, *parameters = (part.strip() for part in header.decode("latin-1").lower().split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') in ("utf-8", "utf8"):
            continue
        if parameter:
            raise UnsupportedMedia(
                f"the content type's parameter {parameter[:80]!r} is not understood", cure="send UTF-8"
            )
    return kind


def rows_of(document: Any, names: tuple[str, ...]) -> list[Any]:
    """The rows of a request in JSON.

    Raises:
        MalformedRequest: none of the four forms, or more than one.

    Examples:
        >>> rows_of({"dataframe_split": {"columns": ["age"], "data": [[31], [32]]}}, ("age",))
        [{'age': 31}, {'age': 32}]
    """
    found = [name for name in _FORMS if name in document] if isinstance(document, dict) else []
    if len(found) != 1:
        raise MalformedRequest(
            "the body is no JSON object with exactly one of " + ", ".join(_FORMS),
            cure='send {"dataframe_split": {"columns": […], "data": [[…], …]}}',
        )
    return _FORMS[found[0]](document[found[0]], names)


def _split(frame: Any, names: tuple[str, ...]) -> list[Any]:
    if not isinstance(frame, dict) or "data" not in frame or frame.keys() - {"columns", "data", "index"}:
        raise MalformedRequest(
            "'dataframe_split' is no object of 'columns', 'data' and perhaps 'index'",
            cure="send what pandas' to_dict(orient='split') gives",
        )
    columns, data = frame.get("columns"), frame["data"]
    if columns is None:
        columns = list(names)
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise MalformedRequest("'columns' is no array of names", cure="send the features' names")
    if len(set(columns)) != len(columns):
        raise MalformedRequest("'columns' has a name twice", cure="send each feature once")
    if not isinstance(data, list) or not all(isinstance(values, list) for values in data):
        raise MalformedRequest("'data' is no array of arrays", cure="send one array of values for each row")
    return named_rows(data, columns)


def _records(records: Any, _: tuple[str, ...]) -> list[Any]:
    if not isinstance(records, list):
        raise MalformedRequest("'dataframe_records' is no array", cure="send an array of objects")
    return records


def _instances(instances: Any, names: tuple[str, ...]) -> list[Any]:
    if not isinstance(instances, list):
        raise MalformedRequest("'instances' is no array", cure="send an array of rows")
    return named_rows(instances, names)


def _inputs(inputs: Any, names: tuple[str, ...]) -> list[Any]:
    if isinstance(inputs, dict) and inputs and not any(isinstance(value, list) for value in inputs.values()):
        return [inputs]
    return rows_of_columns(inputs, names)


_FORMS: dict[str, Callable[[Any, tuple[str, ...]], list[Any]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}


def _method(document: dict[str, Any]) -> str:
    parameters = document.get("params")
    method = parameters.get("predict_method", "predict") if isinstance(parameters, dict) else "predict"
    if method not in _METHODS:
        raise MalformedRequest(
            f"there is no predict_method {str(method)[:40]!r}", cure=f"use {' or '.join(_METHODS)}"
        )
    return str(method)


def _described(manifests: Sequence[Manifest]) -> Schema:
    rows = {"type": "array", "items": {"anyOf": [row(manifest) for manifest in manifests]}, "minItems": 1}
    frame = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "index": {"type": "array"},
            "data": {"type": "array", "items": {"type": "array"}, "minItems": 1},
        },
        "required": ["data"],
        "additionalProperties": False,
    }
    columns = {"type": "object", "additionalProperties": {"type": "array"}}
    forms = {"dataframe_split": frame, "dataframe_records": rows, "instances": rows, "inputs": columns}
    body = {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    name: schema,
                    "params": {
                        "type": "object",
                        "properties": {"predict_method": {"type": "string", "enum": list(_METHODS)}},
                    },
                },
                "required": [name],
                "additionalProperties": False,
            }
            for name, schema in forms.items()
        ]
    }
    answer = {
        "type": "object",
        "properties": {"predictions": {"type": "array"}},
        "required": ["predictions"],
    }
    return operation(
        "Predict as MLflow's scoring server does; also SageMaker's contract",
        _ERROR,
        answer=answer,
        body={"application/json": body, "text/csv": {"type": "string"}},
    )
