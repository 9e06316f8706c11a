"""Our own protocol: `POST /predict/{model}` with one row or many, features by name."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest, OutputSpec
from mainspring.serving.batcher import Outputs
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.protocols.body import decode_json, rows_of
from mainspring.serving.protocols.describing import NATIVE_ERROR, operation, row
from mainspring.serving.protocols.errors import NATIVE

_ENCODE = msgspec.json.Encoder().encode


class NativeProtocol:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        return (Route("POST", re.compile(r"/predict/([^/]+)"), self.predict, NATIVE),)

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        return {f"/predict/{manifest.model}": {"post": _described(manifest)} for manifest in manifests}

    async def predict(self, request: Request, name: str) -> Response:
        """Answer one row object, an array of them, or `{"rows": [...]}`."""
        plane = self._plane
        champion = plane.pool.champions.get(name)
        if champion is None and "@" in name:
            request.need(Role.OPERATE, "naming a release")  # before it is loaded
        release = champion or await plane.release(name)
        rows = rows_of(decode_json(request.body))
        request.native = True
        answer = await plane.predict(request, release, rows, pinned=champion is None and "@" in name)
        release = answer.release
        body = answer_body(release.manifest)(request.id, answer.outputs)
        return Response(200, body, model=release.model, release=release.ref)


def answer_body(manifest: Manifest) -> Callable[[str, Outputs], bytes]:
    """The answer's body, given the request's id (as `request_id_of` gives it) and the outputs.

    Examples:
        >>> answer_body(manifest)("order-17", [[0.25]])  # doctest: +SKIP
        b'{"model":"prices","release":"prices@1","id":"order-17","predictions":[{"prediction":0.25}]}'
    """
    output = manifest.output
    model, ref = _ENCODE(manifest.model), _ENCODE(str(manifest.ref))
    start = b'{"model":%s,"release":%s,"id":"' % (model, ref)

    def body(request_id: str, outputs: Outputs) -> bytes:
        return b'%s%s","predictions":%s}' % (start, request_id.encode(), _ENCODE(predictions(output, outputs)))

    return body


class _Value(msgspec.Struct, gc=False):
    prediction: float


class _Decision(msgspec.Struct, gc=False):
    prediction: str
    probabilities: dict[str, float]


def predictions(spec: OutputSpec, outputs: Outputs) -> Sequence[msgspec.Struct]:
    """The answers as people read them, one for each row.

    Examples:
        >>> from mainspring.domain.task import Task
        >>> spec = OutputSpec(Task.BINARY, ("no", "yes"), positive="yes")
        >>> msgspec.json.encode(predictions(spec, [[0.25, 0.75]]))
        b'[{"prediction":"yes","probabilities":{"no":0.25,"yes":0.75}}]'
    """
    decisions: Any = spec.decide_all(outputs)
    classes = spec.classes
    if not classes:
        return [_Value(value) for value in decisions]
    if len(classes) == 2:  # spelled out: it takes a third of the time
        first, second = classes
        return [
            _Decision(label, {first: one, second: two})
            for label, (one, two) in zip(decisions, outputs, strict=True)
        ]
    return [
        _Decision(label, dict(zip(classes, row, strict=True)))
        for label, row in zip(decisions, outputs, strict=True)
    ]


def _described(manifest: Manifest) -> dict[str, Any]:
    one = row(manifest)
    rows = {"type": "array", "items": one, "minItems": 1}
    wrapped = {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}
    prediction = {"$ref": f"#/components/schemas/{manifest.model}.Prediction"}
    answer = {
        "type": "object",
        "properties": {
            "model": {"const": manifest.model},
            "release": {"type": "string"},
            "id": {"type": "string"},
            "predictions": {"type": "array", "items": prediction},
        },
        "required": ["model", "release", "id", "predictions"],
    }
    return operation(
        f"Predict {manifest.target} ({manifest.task}), answered by {manifest.ref}",
        NATIVE_ERROR,
        answer=answer,
        body={"application/json": {"anyOf": [one, rows, wrapped]}},
    )
