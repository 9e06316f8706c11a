"""What the Open Inference Protocol tells of server and models: liveness, readiness, metadata."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.domain.release import InputField, Manifest, RuntimeKind
from mainspring.domain.schema import Kind
from mainspring.errors import Unavailable
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.protocols.describing import MESSAGE, VERSION, operation
from mainspring.serving.protocols.errors import OPENINFERENCE
from mainspring.serving.protocols.openinference import MODEL, find_release
from mainspring.version import VERSION as MAINSPRING_VERSION

_ENCODE = msgspec.json.Encoder().encode
_SERVER = {
    "name": "mainspring",
    "version": MAINSPRING_VERSION,
    "extensions": ["binary_tensor_data", "classification"],
}
_NUMERIC = {Kind.NUMBER: "FP64", Kind.INTEGER: "INT64", Kind.BOOLEAN: "BOOL"}


class OpenInferenceStatus:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", re.compile(r"/v2/?"), self.server, OPENINFERENCE),
            Route("GET", re.compile(r"/v2/health/live"), self.live, OPENINFERENCE, open=True),
            Route("GET", re.compile(r"/v2/health/ready"), self.ready, OPENINFERENCE, open=True),
            Route("GET", re.compile(r"/v2/models"), self.models, OPENINFERENCE),
            Route("GET", re.compile(MODEL), self.model, OPENINFERENCE),
            Route("GET", re.compile(rf"{MODEL}/ready"), self.model_ready, OPENINFERENCE),
        )

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        answer = {"type": "object"}
        ready = operation("Whether every routed model is warm", MESSAGE, answer=answer)
        ready["responses"]["503"]["content"]["application/json"]["schema"] = answer
        found: dict[str, Any] = {
            "/v2": {"get": operation("The server's name and extensions", MESSAGE, answer=answer)},
            "/v2/health/live": {"get": operation("Whether the process answers", MESSAGE, answer=answer)},
            "/v2/health/ready": {"get": ready},
            "/v2/models": {"get": operation("The models, as KServe lists them", MESSAGE, answer=answer)},
        }
        for manifest in manifests:
            for path, more in (("", {}), ("/versions/{version}", {"parameters": [VERSION]})):
                path = f"/v2/models/{manifest.model}{path}"
                found[path] = {"get": operation("Its inputs and outputs", MESSAGE, answer=answer), **more}
                found[f"{path}/ready"] = {"get": operation("Whether it answers", MESSAGE, answer=answer), **more}
        return found

    async def server(self, _: Request) -> Response:
        return Response(200, _ENCODE(_SERVER))

    async def live(self, _: Request) -> Response:
        return Response(200, b'{"live":true}')

    async def ready(self, _: Request) -> Response:
        ready = self._plane.pool.ready
        return Response(200 if ready else 503, _ENCODE({"ready": ready}))

    async def models(self, _: Request) -> Response:
        return Response(200, _ENCODE({"models": sorted(self._plane.pool.champions)}))

    async def model(self, _: Request, model: str, version: str | None) -> Response:
        """Inputs and outputs; `parameters` say how a missing value is sent, and the classes' order."""
        release = await find_release(self._plane, model, version)
        manifest = release.manifest
        classes = manifest.output.classes
        outputs: list[dict[str, Any]] = [
            {"name": "prediction", "datatype": "BYTES" if classes else "FP64", "shape": [-1]}
        ]
        if classes:
            outputs.append(
                {
                    "name": "probabilities",
                    "datatype": "FP64",
                    "shape": [-1, len(classes)],
                    "parameters": {"classes": list(classes)},
                }
            )
        document = {
            "name": manifest.model,
            "versions": self._plane.pool.numbers(manifest.model),
            "platform": "onnx_onnxv1" if manifest.runtime.kind is RuntimeKind.ONNX else "mainspring_native",
            "inputs": [_tensor(field) for field in manifest.inputs],
            "outputs": outputs,
        }
        return Response(200, _ENCODE(document), model=release.model, release=release.ref)

    async def model_ready(self, _: Request, model: str, version: str | None) -> Response:
        try:
            release = await find_release(self._plane, model, version)
        except Unavailable as error:
            return Response(503, _ENCODE({"name": model, "ready": False, "error": str(error)}))
        return Response(
            200, _ENCODE({"name": release.model, "ready": True}), model=release.model, release=release.ref
        )


def _tensor(field: InputField) -> dict[str, Any]:
    epoch = field.kind is Kind.TIME and (field.time_format or "").startswith("epoch")
    datatype = "FP64" if epoch else _NUMERIC.get(field.kind, "BYTES")
    parameters: dict[str, Any] = {"kind": str(field.kind)}
    if field.required:
        parameters["missing"] = "never"
    elif datatype == "BYTES":
        parameters["missing"] = "an empty element; null in JSON"
    else:
        parameters["missing"] = "NaN in a tensor of FP64; null in JSON"
    if field.kind is Kind.TIME:
        parameters["format"] = (
            "seconds or milliseconds since 1970" if epoch else "ISO 8601, e.g. 2026-01-31T09:00:00Z"
        )
    return {"name": field.name, "datatype": datatype, "shape": [-1], "parameters": parameters}
