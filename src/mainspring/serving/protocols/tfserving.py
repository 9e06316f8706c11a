"""TensorFlow Serving's REST predict, which is also KServe V1's: `POST /v1/models/{m}[/versions/{n}]:predict`.

Row form: `{"instances": [{"age": 31, …}, …]}` gives `{"predictions": […]}`; column form: `{"inputs": {"age":
[31, …], …}}` gives `{"outputs": …}`. An instance may also be a list of values in the order of the features. A
classifier has two outputs, `prediction` and `probabilities` (in the order of `classes` in the metadata); a
regression has one, so its predictions are plain values. As there, `NaN` is read (it is a missing value) and a text
may be packed as `{"b64": …}`; instead of a version the label `champion` or `challenger` may be named.
"""

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.errors import MalformedRequest, UnknownModel, UnknownRelease
from mainspring.serving.batcher import Outputs
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.loaded import Loaded
from mainspring.serving.protocols.body import decode_json_with_nan
from mainspring.serving.protocols.describing import MESSAGE, VERSION, Schema, operation, parameter, row
from mainspring.serving.protocols.errors import TENSORFLOW
from mainspring.serving.protocols.rows import named_rows, rows_of_columns, unpacked

_ENCODE = msgspec.json.Encoder().encode
SIGNATURE = "serving_default"
NAME = r"([^/:]+)"
WHICH = r"(?:/versions/([^/:]+)|/labels/([^/:]+))?"
LABEL = parameter("label", "which release by its role", enum=["champion", "challenger"])


async def find_release(plane: Dataplane, model: str, version: str | None, label: str | None) -> Loaded:
    """The release that a path means.

    Raises:
        UnknownModel, UnknownRelease: in the words of TensorFlow Serving.
    """
    try:
        if label is not None:
            return await plane.labelled(model, label)
        if version is None:
            return plane.champion(model)
        if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
            raise UnknownRelease("no such version")
        return await plane.numbered(model, int(version))
    except UnknownRelease as error:
        if label is not None:
            raise UnknownRelease(f"Unrecognized servable version label: {label[:80]}", cure=error.cure) from None
        raise UnknownRelease(
            f"Servable not found for request: Specific({model[:80]}, {(version or '')[:20]})"
        ) from None
    except UnknownModel:
        which = f"Latest({model[:80]})" if version is None else f"Specific({model[:80]}, {version[:20]})"
        raise UnknownModel(f"Servable not found for request: {which}") from None


def each_way(path: str, method: str, found: Schema) -> dict[str, Any]:
    """The path items of an operation on a model, on a version of it and on a label; `path` has `{which}`."""
    return {
        path.replace("{which}", ""): {method: found},
        path.replace("{which}", "/versions/{version}"): {method: found, "parameters": [VERSION]},
        path.replace("{which}", "/labels/{label}"): {method: found, "parameters": [LABEL]},
    }


class TensorFlowPredict:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        path = rf"/v1/models/{NAME}{WHICH}"
        return (
            Route("POST", re.compile(f"{path}:predict"), self.predict, TENSORFLOW),
            Route("POST", re.compile(f"{path}:(classify|regress)"), self.no_signature, TENSORFLOW),
        )

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for manifest in manifests:
            path = f"/v1/models/{manifest.model}{{which}}"
            found |= each_way(f"{path}:predict", "post", _described(manifest))
            for verb in ("classify", "regress"):
                refused = operation(
                    f"Refused: {manifest.model} has no {verb} signature",
                    MESSAGE,
                    body={"application/json": {"type": "object"}},
                )
                del refused["responses"]["200"]
                found |= each_way(f"{path}:{verb}", "post", refused)
        return found

    async def predict(self, request: Request, model: str, version: str | None, label: str | None) -> Response:
        pinned = version is not None or label is not None
        if pinned:
            request.need(Role.OPERATE, "naming a release")  # before it is loaded
        release = await find_release(self._plane, model, version, label)
        names = tuple(field.name for field in release.manifest.inputs)
        rows, by_column = rows_of(decode_json_with_nan(request.body), names)
        if b'"b64"' in request.body:
            rows = unpacked(rows)
        answer = await self._plane.predict(request, release, rows, pinned=pinned)
        release = answer.release
        found = columns(release.manifest.output, answer.outputs)
        if by_column:
            named: Any = found if len(found) > 1 else next(iter(found.values()))
            document = {"outputs": named}
        elif len(found) == 1:
            document = {"predictions": next(iter(found.values()))}
        else:
            document = {
                "predictions": [
                    dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)
                ]
            }
        return Response(200, _ENCODE(document), model=release.model, release=release.ref)

    async def no_signature(
        self, _: Request, model: str, version: str | None, label: str | None, verb: str
    ) -> NoReturn:
        """Those two take `tf.Example`s, whose features have no missing values and no names for classes."""
        await find_release(self._plane, model, version, label)
        kind = "classification" if verb == "classify" else "regression"
        raise MalformedRequest(
            f"Expected {kind} signature method_name to be tensorflow/serving/{verb}. "
            "Was: tensorflow/serving/predict",
            cure="POST the rows to :predict",
        )


def columns(spec: OutputSpec, outputs: Outputs) -> dict[str, list[Any]]:
    """The outputs by name."""
    found: dict[str, list[Any]] = {"prediction": list(spec.decide_all(outputs))}
    if spec.classes:
        found["probabilities"] = outputs
    return found


def rows_of(document: Any, names: tuple[str, ...]) -> tuple[list[Any], bool]:
    """The rows of a request, and whether it came in column form.

    Raises:
        MalformedRequest: neither form.

    Examples:
        >>> rows_of({"inputs": {"age": [31, 32]}}, ("age",))
        ([{'age': 31}, {'age': 32}], True)
        >>> rows_of({"instances": [[31, "pilot"]]}, ("age", "job"))
        ([{'age': 31, 'job': 'pilot'}], False)
    """
    if not isinstance(document, dict):
        raise MalformedRequest("the body is no JSON object", cure='send {"instances": [...]}')
    signature = document.get("signature_name", SIGNATURE)
    if signature not in (SIGNATURE, "", None):
        raise MalformedRequest(
            f"Serving signature name: {str(signature)[:80]!r} not found in signature def",
            cure=f"leave it out, or send {SIGNATURE!r}",
        )
    if ("instances" in document) == ("inputs" in document):
        raise MalformedRequest(
            "Request must have exactly one of the fields 'instances' and 'inputs'",
            cure='send {"instances": [{"feature": value, …}]}',
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise MalformedRequest("'instances' is no array", cure="send an array of rows")
        return named_rows(instances, names), False
    return rows_of_columns(document["inputs"], names), True


def _described(manifest: Manifest) -> Schema:
    names = [field.name for field in manifest.inputs]
    one = {"anyOf": [row(manifest), {"type": "array", "minItems": len(names), "maxItems": len(names)}]}
    signature = {"type": "string", "enum": [SIGNATURE]}
    body = {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "signature_name": signature,
                    "instances": {"type": "array", "items": one, "minItems": 1},
                },
                "required": ["instances"],
            },
            {
                "type": "object",
                "properties": {
                    "signature_name": signature,
                    "inputs": {
                        "type": "object",
                        "properties": {name: {"type": "array", "minItems": 1} for name in names},
                        "required": names,
                        "additionalProperties": False,
                    },
                },
                "required": ["inputs"],
            },
        ]
    }
    answer = {
        "anyOf": [{"type": "object", "required": ["predictions"]}, {"type": "object", "required": ["outputs"]}]
    }
    return operation(
        f"Predict {manifest.target} as TensorFlow Serving does",
        MESSAGE,
        answer=answer,
        body={"application/json": body},
    )
