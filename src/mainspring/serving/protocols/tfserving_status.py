"""What TensorFlow Serving and KServe V1 tell of their models: list, status, readiness, metadata."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.domain.release import InputField, Manifest
from mainspring.domain.schema import Kind
from mainspring.errors import MainspringError, Unavailable, UnknownModel, UnknownRelease
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.protocols.describing import MESSAGE, operation
from mainspring.serving.protocols.errors import TENSORFLOW
from mainspring.serving.protocols.tfserving import NAME, SIGNATURE, WHICH, each_way, find_release

_ENCODE = msgspec.json.Encoder().encode
_DTYPES = {
    Kind.NUMBER: "DT_DOUBLE",
    Kind.INTEGER: "DT_INT64",
    Kind.BOOLEAN: "DT_BOOL",
}


class TensorFlowStatus:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", re.compile(r"/v1/models"), self.models, TENSORFLOW),
            Route("GET", re.compile(rf"/v1/models/{NAME}{WHICH}"), self.status, TENSORFLOW),
            Route("GET", re.compile(rf"/v1/models/{NAME}{WHICH}/metadata"), self.metadata, TENSORFLOW),
        )

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        answer = {"type": "object"}
        models = operation("The models, as KServe V1 lists them", MESSAGE, answer=answer)
        found: dict[str, Any] = {"/v1/models": {"get": models}}
        for manifest in manifests:
            path = f"/v1/models/{manifest.model}{{which}}"
            found |= each_way(path, "get", operation("Whether it answers", MESSAGE, answer=answer))
            found |= each_way(f"{path}/metadata", "get", operation("Its signature", MESSAGE, answer=answer))
        return found

    async def models(self, _: Request) -> Response:
        """KServe V1's list."""
        return Response(200, _ENCODE({"models": sorted(self._plane.pool.champions)}))

    async def status(self, _: Request, model: str, version: str | None, label: str | None) -> Response:
        """TensorFlow Serving's status; without a version also KServe V1's `name` and `ready`."""
        try:
            release = await find_release(self._plane, model, version, label)
        except UnknownModel:
            raise UnknownModel(f"Could not find any versions of model {model[:80]}") from None
        except UnknownRelease:
            if version is None:
                raise
            raise UnknownRelease(f"Could not find version {version[:20]} of model {model[:80]}") from None
        except Unavailable as error:
            return Response(503, _ENCODE(_status("0", "UNAVAILABLE", error) | {"name": model, "ready": False}))
        document = _status(str(release.target.number), "AVAILABLE", None)
        if version is None and label is None:
            document |= {"name": release.model, "ready": True}
        return Response(200, _ENCODE(document), model=release.model, release=release.ref)

    async def metadata(self, _: Request, model: str, version: str | None, label: str | None) -> Response:
        """The inputs and outputs as a signature, and the classes in the order of the probabilities."""
        release = await find_release(self._plane, model, version, label)
        output = release.manifest.output
        outputs = {"prediction": _tensor("prediction", "DT_STRING" if output.classes else "DT_DOUBLE")}
        if output.classes:
            outputs["probabilities"] = _tensor("probabilities", "DT_DOUBLE", len(output.classes))
        signature = {
            "inputs": {field.name: _tensor(field.name, _dtype(field)) for field in release.manifest.inputs},
            "outputs": outputs,
            "method_name": "tensorflow/serving/predict",
        }
        document: dict[str, Any] = {
            "model_spec": {
                "name": release.model,
                "signature_name": "",
                "version": str(release.target.number),
            },
            "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
        }
        if output.classes:
            document["metadata"]["classes"] = list(output.classes)
        return Response(200, _ENCODE(document), model=release.model, release=release.ref)


def _status(version: str, state: str, error: MainspringError | None) -> dict[str, Any]:
    status = {
        "error_code": "OK" if error is None else "UNAVAILABLE",
        "error_message": "" if error is None else str(error),
    }
    return {"model_version_status": [{"version": version, "state": state, "status": status}]}


def _dtype(field: InputField) -> str:
    return _DTYPES.get(field.kind, "DT_STRING")


def _tensor(name: str, dtype: str, width: int | None = None) -> dict[str, Any]:
    sizes = ["-1"] if width is None else ["-1", str(width)]
    return {
        "dtype": dtype,
        "tensor_shape": {"dim": [{"size": size, "name": ""} for size in sizes], "unknown_rank": False},
        "name": name,
    }
