"""What the workflow engine stores is JSON, never pickle: nothing that is read back can run code."""

import json
from typing import Any

from dbos import Serializer

from mainspring import errors

_ERROR = "$error"


class JsonSerializer(Serializer):
    """JSON values, and exceptions as their name and words."""

    def name(self) -> str:
        return "mainspring_json"

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=_encode)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data, object_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, errors.MainspringError):
        return {_ERROR: value.to_dict()}
    if isinstance(value, BaseException):
        return {_ERROR: {"error": type(value).__name__, "message": str(value)}}
    raise TypeError(f"a workflow value of type {type(value).__name__} is not JSON")


def _decode(value: dict[str, Any]) -> Any:
    if set(value) != {_ERROR}:
        return value
    stored = value[_ERROR]
    kind = getattr(errors, stored["error"], None)
    if isinstance(kind, type) and issubclass(kind, errors.MainspringError):
        return kind(stored["message"], cure=stored.get("cure", ""), where=stored.get("where"))
    return RuntimeError(f"{stored['error']}: {stored['message']}")
