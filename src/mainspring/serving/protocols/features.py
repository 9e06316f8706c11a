"""`POST /features/{view}`: rows for a feature view, one or many."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.domain.access import Role
from mainspring.domain.release import Manifest, ViewInput
from mainspring.errors import MalformedRequest
from mainspring.serving.exchange import Request, Response, Route
from mainspring.serving.protocols.body import decode_json, rows_of
from mainspring.serving.protocols.describing import NATIVE_ERROR, field_schema, operation
from mainspring.serving.protocols.errors import NATIVE
from mainspring.serving.push import PushIntake

_ENCODE = msgspec.json.Encoder().encode
_WITH_IDS = frozenset({"rows", "ids"})


class FeaturesProtocol:
    """Args:
    intake: the use case.
    """

    def __init__(self, intake: PushIntake) -> None:
        self._intake = intake

    def routes(self) -> tuple[Route, ...]:
        pattern = re.compile(r"/features/([^/]+)")
        return (Route("POST", pattern, self.push, NATIVE, needs=Role.FEEDBACK),)

    def paths(self, manifests: Sequence[Manifest]) -> dict[str, Any]:
        views = {view.pushed_to: view for manifest in manifests for view in manifest.views if view.rows}
        return {f"/features/{name}": {"post": _described(view)} for name, view in sorted(views.items())}

    async def push(self, request: Request, view: str) -> Response:
        """Keep one row, an array of them, `{"rows": [...]}` or `{"rows": [...], "ids": [...]}`; all or none."""
        document, ids = decode_json(request.body), None
        if isinstance(document, dict) and document.keys() == _WITH_IDS:
            document, ids = document["rows"], document["ids"]
            if not isinstance(document, list) or not isinstance(ids, list):
                raise MalformedRequest(
                    "'rows' and 'ids' are not both arrays", cure='send {"rows": [{…}], "ids": ["…"]}'
                )
        kept = await self._intake.accept(view, rows_of(document), ids)
        return Response(202, _ENCODE({"view": view, "accepted": len(kept), "ids": kept}))


def _described(view: ViewInput) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {field.name: field_schema(field) for field in view.rows},
        "required": [field.name for field in view.rows if field.required],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": 1}
    ids = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 128}}
    wrapped = {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}
    named = {
        "type": "object",
        "properties": {
            "rows": rows,
            "ids": {**ids, "description": "one for each row; a row counts once by its id"},
        },
        "required": ["rows", "ids"],
        "additionalProperties": False,
    }
    answer = {
        "type": "object",
        "properties": {
            "view": {"const": view.pushed_to},
            "accepted": {"type": "integer", "minimum": 1},
            "ids": {**ids, "description": "of the rows; those sent again with the same ids count once"},
        },
        "required": ["view", "accepted", "ids"],
    }
    found = operation(
        f"Add rows to the feature view {view.pushed_to}",
        NATIVE_ERROR,
        answer=answer,
        body={"application/json": {"anyOf": [row, rows, wrapped, named]}},
    )
    found["responses"]["202"] = found["responses"].pop("200")
    return found
