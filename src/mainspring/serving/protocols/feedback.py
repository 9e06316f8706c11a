"""`POST /feedback/{model}`: what came true, one message or many."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest
from mainspring.errors import MalformedRequest
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.feedback import FeedbackIntake
from mainspring.serving.protocols.body import decode_json
from mainspring.serving.protocols.describing import NATIVE_ERROR, operation
from mainspring.serving.protocols.errors import NATIVE

_ENCODE = msgspec.json.Encoder().encode


class FeedbackProtocol:
    """Args:
    intake: the feedback use case.
    """

    def __init__(self, intake: FeedbackIntake) -> None:
        self._intake = intake

    def routes(self) -> tuple[Route, ...]:
        pattern = re.compile(r"/feedback/([^/]+)")
        return (Route("POST", pattern, self.feedback, NATIVE, needs=Role.FEEDBACK),)

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        return {f"/feedback/{manifest.model}": {"post": _described(manifest)} for manifest in manifests}

    async def feedback(self, request: Request, model: str) -> Response:
        """Keep one message object or an array of them; all or none."""
        document = decode_json(request.body)
        if not isinstance(document, dict | list):
            raise MalformedRequest(
                "the body is neither a message nor an array of messages",
                cure='send {"prediction_id": "…", "label": …} or [{…}, {…}]',
            )
        accepted = await self._intake.accept(model, document if isinstance(document, list) else [document])
        answer = {"model": model, "accepted": accepted.messages, "duplicates": accepted.duplicates}
        return Response(200, _ENCODE(answer), model=model)


def _described(manifest: Manifest) -> dict[str, Any]:
    truth: dict[str, Any] = {"type": "number"}
    if manifest.output.classes:
        truth = {"type": ["string", "number", "boolean"], "examples": list(manifest.output.classes[:10])}
    message = {
        "type": "object",
        "properties": {
            "prediction_id": {
                "type": "string",
                "pattern": r"^[A-Za-z0-9][A-Za-z0-9._:+=-]{0,99}(/[0-9]{1,9})?$",
                "description": "the id of the answer, a slash and the row's number; without it the first row",
            },
            "key": {
                "type": ["string", "integer"],
                "description": "instead of a prediction_id, the event's key: for all its predictions",
            },
            "name": {
                "type": "string",
                "pattern": "^[a-z][a-z0-9_]{0,62}$",
                "default": "label",
                "description": "`label` for the truth of the target, else the name of a business outcome",
            },
            "label": {**truth, "description": f"the true {manifest.target}"},
            "value": {"type": ["number", "boolean"], "description": "the number of an outcome"},
            "withdraw": {"type": "boolean", "description": "take back what was said"},
            "happened_at": {"type": "string", "format": "date-time"},
            "feedback_id": {
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,99}$",
                "description": "a message that comes again with its id counts once",
            },
        },
        "additionalProperties": False,
    }
    count = {"type": "integer", "minimum": 0}
    answer = {
        "type": "object",
        "properties": {"model": {"const": manifest.model}, "accepted": count, "duplicates": count},
        "required": ["model", "accepted", "duplicates"],
    }
    return operation(
        f"Say what came true of predictions of {manifest.target}, now or later, once or corrected",
        NATIVE_ERROR,
        answer=answer,
        body={"application/json": {"anyOf": [message, {"type": "array", "items": message, "minItems": 1}]}},
    )
