"""TensorFlow Serving's REST predict, which is also KServe V1's: `POST /v1/models/{m}[/versions/{n}]:predict`.

Row form: `{"instances": [{"age": 31, …}, …]}` gives `{"predictions": […]}`; column form: `{"inputs": {"age":
[31, …], …}}` gives `{"outputs": …}`. An instance may also be a list of values in the order of the features. A
classifier has two outputs, `prediction` and `probabilities` (in the order of `classes` in the metadata); a
regression has one, so its predictions are plain values.
"""

import re
from typing import Any

import msgspec

from mainspring.domain.release import OutputSpec
from mainspring.errors import InvalidInput, MalformedRequest, UnknownModel, UnknownRelease
from mainspring.serving.batcher import Outputs
from mainspring.serving.dataplane import Dataplane
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.pool import Loaded
from mainspring.serving.protocols.body import decode_json
from mainspring.serving.protocols.errors import TENSORFLOW

_ENCODE = msgspec.json.Encoder().encode
SIGNATURE = "serving_default"
NAME = r"([^/:]+)"
VERSION = r"(?:/versions/([^/:]+))?"


async def find_release(plane: Dataplane, model: str, version: str | None) -> Loaded:
    """The release that a path means.

    Raises:
        UnknownModel, UnknownRelease: in the words of TensorFlow Serving.
    """
    try:
        if version is None:
            return plane.champion(model)
        if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
            raise UnknownRelease("no such version")
        return await plane.numbered(model, int(version))
    except (UnknownModel, UnknownRelease) as error:
        which = f"Latest({model[:80]})" if version is None else f"Specific({model[:80]}, {version[:20]})"
        raise type(error)(f"Servable not found for request: {which}") from None


class TensorFlowPredict:
    """Args:
    plane: the predict use case.
    """

    def __init__(self, plane: Dataplane) -> None:
        self._plane = plane

    def routes(self) -> tuple[Route, ...]:
        return (Route("POST", re.compile(rf"/v1/models/{NAME}{VERSION}:predict"), self.predict, TENSORFLOW),)

    async def predict(self, request: Request, model: str, version: str | None) -> Response:
        release = await find_release(self._plane, model, version)
        names = tuple(field.name for field in release.manifest.inputs)
        rows, by_column = rows_of(decode_json(request.body), names)
        answer = await self._plane.predict(request, release, rows, pinned=version is not None)
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
        return [_named(row, names, number) for number, row in enumerate(instances)], False
    return _rows_of_columns(document["inputs"], names), True


def _named(row: Any, names: tuple[str, ...], number: int) -> Any:
    if not isinstance(row, list):
        # A model of one input takes the bare value.
        return row if isinstance(row, dict) or len(names) != 1 else {names[0]: row}
    if len(row) != len(names):
        raise InvalidInput(
            f"row {number} has {len(row)} values, and the model {len(names)} features",
            cure="send the values in the order that the metadata gives, or objects by feature name",
            where={"row": number},
        )
    return dict(zip(names, row, strict=True))


def _rows_of_columns(inputs: Any, names: tuple[str, ...]) -> list[Any]:
    if isinstance(inputs, list):
        return [_named(row, names, number) for number, row in enumerate(inputs)]
    if not isinstance(inputs, dict) or not inputs:
        raise MalformedRequest("'inputs' is neither an object nor an array", cure='send {"feature": [values]}')
    lengths = set()
    for name, values in inputs.items():
        if not isinstance(values, list):
            raise InvalidInput(
                f"the input {name[:80]!r} is no array",
                cure="send one value for each row",
                where={"field": name[:80]},
            )
        lengths.add(len(values))
    if len(lengths) != 1:
        raise InvalidInput(
            f"the inputs have different numbers of rows: {sorted(lengths)[:5]}",
            cure="send one value for each row, null where it is unknown",
        )
    return [dict(zip(inputs, values, strict=True)) for values in zip(*inputs.values(), strict=True)]
