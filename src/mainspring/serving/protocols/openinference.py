"""The Open Inference Protocol (V2) over REST: `POST /v2/models/{m}[/versions/{n}]/infer`.

One input tensor a feature (see `openinference_tensors`), named as the feature. Outputs: `prediction`, BYTES `[n]`
for a classifier and FP64 `[n]` for a regression; of a classifier also `probabilities`, FP64 `[n, classes]`, in the
order of `classes` in the metadata, or as the `classification` extension gives them. The answer's parameter
`prediction_id` is what feedback refers to.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.errors import MalformedRequest, UnknownRelease
from mainspring.serving.batcher import Outputs
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.loaded import Loaded
from mainspring.serving.protocols.body import decode_json_with_nan
from mainspring.serving.protocols.describing import MESSAGE, VERSION, Schema, operation
from mainspring.serving.protocols.errors import OPENINFERENCE
from mainspring.serving.protocols.openinference_tensors import (
    DATATYPES,
    InputTensor,
    column,
    output_encoder,
    rows_in,
)

_ENCODE = msgspec.json.Encoder().encode
_HEADER = b"inference-header-content-length"
MODEL = r"/v2/models/([^/]+)(?:/versions/([^/]+))?"


class RequestedOutput(msgspec.Struct):
    """One of the request's `outputs`."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    """The JSON of a request."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


async def find_release(plane: Dataplane, model: str, version: str | None) -> Loaded:
    """The release that a path means.

    Raises:
        UnknownModel, UnknownRelease, Unavailable.
    """
    if version is None:
        return plane.champion(model)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise UnknownRelease(
            f"the model {model[:80]!r} has no version {version[:20]!r}", cure="versions are numbers"
        )
    return await plane.numbered(model, int(version))


class OpenInference:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        return (Route("POST", re.compile(rf"{MODEL}/infer"), self.infer, OPENINFERENCE),)

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for manifest in manifests:
            path = f"/v2/models/{manifest.model}"
            described = _described(manifest)
            found[f"{path}/infer"] = {"post": described}
            found[f"{path}/versions/{{version}}/infer"] = {"post": described, "parameters": [VERSION]}
        return found

    async def infer(self, request: Request, model: str, version: str | None) -> Response:
        if version is not None:
            request.need(Role.OPERATE, "naming a release")  # before it is loaded
        release = await find_release(self._plane, model, version)
        asked, binary = _parts(request)
        count = rows_in(asked.inputs)
        self._plane.check_count(count)
        wanted = _wanted(asked, release.manifest.output)
        rows = _rows(asked.inputs, release.manifest, binary, count)
        answer = await self._plane.predict(request, release, rows, pinned=version is not None)
        return _response(request.id, asked.id, answer.release, answer.outputs, wanted)


def _parts(request: Request) -> tuple[InferRequest, memoryview]:
    """The JSON of a request, and the bytes after it."""
    body, given = request.body, request.headers.get(_HEADER)
    end = len(body)
    if given is not None:
        if not re.fullmatch(rb"[0-9]{1,12}", given) or int(given) > end:
            raise MalformedRequest(
                "the header Inference-Header-Content-Length does not give the length of the JSON",
                cure="send how many bytes of the body are JSON",
            )
        end = int(given)
    document = decode_json_with_nan(body if end == len(body) else body[:end])
    try:
        asked = msgspec.convert(document, InferRequest)
    except msgspec.ValidationError as error:
        raise MalformedRequest(f"the body is no inference request: {error}", cure="see /openapi.json") from None
    return asked, memoryview(body)[end:]


def _rows(
    tensors: Sequence[InputTensor], manifest: Manifest, binary: memoryview, count: int
) -> list[dict[str, Any]]:
    fields = {field.name: field for field in manifest.logged}
    columns = []
    place = 0
    for tensor in tensors:
        size = tensor.binary_size
        part = None if size is None else binary[place : place + size]
        place += size or 0
        columns.append(column(tensor, fields.get(tensor.name), part, count))
    if place != len(binary):
        raise MalformedRequest(
            f"{len(binary):,} bytes follow the JSON, and the inputs' binary_data_size add up to {place:,}",
            cure="send Inference-Header-Content-Length, and the size of each tensor that follows",
        )
    names = [tensor.name for tensor in tensors]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


class _Wanted(msgspec.Struct):
    """An output as it is to be sent."""

    name: str
    binary: bool
    classes: int = 0


def _wanted(asked: InferRequest, spec: OutputSpec) -> list[_Wanted]:
    known = ("prediction", "probabilities") if spec.classes else ("prediction",)
    binary = _truth(asked.parameters, "binary_data_output", False)
    if not asked.outputs:
        return [_Wanted(name, binary) for name in known]
    found = []
    for output in asked.outputs:
        if output.name not in known:
            raise MalformedRequest(
                f"there is no output {output.name[:80]!r}", cure=f"the outputs are {' and '.join(known)}"
            )
        parameters = output.parameters or {}
        if "shared_memory_region" in parameters:
            raise MalformedRequest("outputs are not put into shared memory", cure="leave that parameter out")
        classes = parameters.get("classification", 0)
        if type(classes) is not int or classes < 0 or (classes and output.name != "probabilities"):
            raise MalformedRequest(
                f"the output {output.name!r} has no such classification",
                cure="ask for a number of classes, of the output 'probabilities'",
            )
        found.append(_Wanted(output.name, _truth(parameters, "binary_data", binary), classes))
    if len({wanted.name for wanted in found}) != len(found):
        raise MalformedRequest("an output is asked for twice", cure="ask for each once")
    return found


def _truth(parameters: Mapping[str, Any] | None, name: str, default: bool) -> bool:
    value = (parameters or {}).get(name, default)
    if not isinstance(value, bool):
        raise MalformedRequest(f"the parameter {name!r} is no boolean", cure="send true or false")
    return value


def _response(
    request_id: str, given_id: str | None, release: Loaded, outputs: Outputs, wanted: Sequence[_Wanted]
) -> Response:
    spec = release.manifest.output
    tensors, parts = [], []
    for output in wanted:
        tensor, values = _tensor(output, spec, outputs)
        if output.binary:
            part = output_encoder(tensor["datatype"])(values)
            tensor["parameters"] = {"binary_data_size": len(part)}
            parts.append(part)
        else:
            tensor["data"] = values
        tensors.append(tensor)
    document = {
        "model_name": release.model,
        "model_version": str(release.target.number),
        "id": request_id if given_id is None else given_id,
        "parameters": {"prediction_id": request_id},
        "outputs": tensors,
    }
    body = _ENCODE(document)
    if not parts:
        return Response(200, body, model=release.model, release=release.ref)
    return Response(
        200,
        b"".join((body, *parts)),
        content_type=b"application/octet-stream",
        model=release.model,
        release=release.ref,
        headers=((_HEADER, b"%d" % len(body)),),
    )


def _tensor(output: _Wanted, spec: OutputSpec, outputs: Outputs) -> tuple[dict[str, Any], list[Any]]:
    """An output without its data, and its values in a row."""
    count = len(outputs)
    if output.name == "prediction":
        datatype = "BYTES" if spec.classes else "FP64"
        return _named(output, datatype, [count]), list(spec.decide_all(outputs))
    if not output.classes:
        values = [value for row in outputs for value in row]
        return _named(output, "FP64", [count, len(spec.classes)]), values
    width = min(output.classes, len(spec.classes))
    ranked = []
    for row in outputs:
        places = sorted(range(len(row)), key=lambda place: -row[place])[:width]
        ranked += [f"{row[place]}:{place}:{spec.classes[place]}" for place in places]
    return _named(output, "BYTES", [count, width]), ranked


def _named(output: _Wanted, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": output.name, "datatype": datatype, "shape": shape}


def _described(manifest: Manifest) -> Schema:
    names = [field.name for field in manifest.logged]
    # A view's features may be left out where its key is sent.
    least = len(manifest.inputs) - sum(len(view.features) for view in manifest.views)
    parameters = {"type": "object"}
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": names},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
            "datatype": {"type": "string", "enum": list(DATATYPES)},
            "parameters": parameters,
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }
    output = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": ["prediction", "probabilities"]},
            "parameters": parameters,
        },
        "required": ["name"],
    }
    body = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "parameters": parameters,
            "inputs": {"type": "array", "items": tensor, "minItems": least, "maxItems": len(names)},
            "outputs": {"type": "array", "items": output},
        },
        "required": ["inputs"],
    }
    answer = {"type": "object", "required": ["model_name", "model_version", "id", "outputs"]}
    found = operation(
        f"Predict {manifest.target} by the Open Inference Protocol",
        MESSAGE,
        answer=answer,
        body={"application/json": body},
    )
    # Where binary outputs are asked for.
    found["responses"]["200"]["content"]["application/octet-stream"] = {}
    return found
