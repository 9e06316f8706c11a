"""How a protocol describes its routes for `/openapi.json`: the parts that all of them share."""

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.domain.release import InputField, Manifest, ViewInput
from mainspring.domain.schema import Kind

Schema = dict[str, Any]

_REFUSALS = {
    400: "the body is not of this form, or a row does not fit the model",
    401: "the request carries no valid token",
    403: "the request comes from a page of another origin, or its token may not do this",
    404: "there is no such model or release",
    408: "the request took too long to arrive",
    413: "the body is too large, or has too many rows",
    415: "the body is compressed, or of a type that is not taken",
    422: "a row does not fit the model",
    429: "too many requests of this caller",
    431: "the headers are too large",
    503: "too many requests at once, or the release is not loaded; ask again",
}
MESSAGE: Schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
"""The error of TensorFlow Serving and of the Open Inference Protocol."""


def operation(
    summary: str,
    error: Schema,
    *,
    answer: Schema | None = None,
    media: str = "application/json",
    body: Mapping[str, Schema] | None = None,
    parameters: Sequence[Schema] = (),
    more: Mapping[int, str] | None = None,
) -> Schema:
    """One operation.

    Args:
        error: the schema of the dialect's errors.
        answer, media: the schema of a good answer, and its media type.
        body: by media type, the schema of the body; `None` where it takes none.
        more: further answers that it may give, by status.
    """
    good: Schema = {"description": "the answer"}
    if answer is not None:
        good["content"] = {media: {"schema": answer}}
    refusals = {
        status: about for status, about in _REFUSALS.items() if body is not None or status not in _OF_BODIES
    }
    content = {"application/json": {"schema": error}}
    found: Schema = {
        "summary": summary,
        "responses": {
            "200": good,
            **{
                str(status): {"description": about, "content": content}
                for status, about in (refusals | dict(more or {})).items()
            },
        },
    }
    if body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind, schema in body.items()},
        }
    if parameters:
        found["parameters"] = list(parameters)
    return found


_OF_BODIES = frozenset({413, 415, 422})


def parameter(name: str, about: str, **schema: Any) -> Schema:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


VERSION = parameter("version", "a release's number", type="integer", minimum=1, maximum=999_999_999)


def row(manifest: Manifest) -> Schema:
    """The reference to the schema of a model's row."""
    return {"$ref": f"#/components/schemas/{manifest.model}.Row"}


def row_schema(inputs: Sequence[InputField], key: str | None = None, views: Sequence[ViewInput] = ()) -> Schema:
    """The JSON schema of one row: every field is sent, unknown values as null; the event's key may be sent, too.
    A view's features may be left out where its key is sent.

    Examples:
        >>> row_schema([InputField("age", Kind.INTEGER)])["properties"]
        {'age': {'type': ['integer', 'null']}}
    """
    properties = {field.name: field_schema(field) for field in inputs}
    for view in views:
        names = ", ".join(view.features.values())
        for field in view.keys:
            about = f"by which {names} are found where they are not sent"
            properties.setdefault(field.name, field_schema(field) | {"description": about})
    if key is not None and key not in properties:
        about = "the event's own key, by which its truth may be told later"
        properties[key] = {"type": ["string", "integer", "null"], "description": about}
    found = {column for view in views for column in view.features.values()}
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in inputs if field.name not in found],
        "additionalProperties": False,
    }
    if views:
        schema["allOf"] = [
            {"anyOf": [{"required": [one.name for one in view.keys]}, {"required": [*view.features.values()]}]}
            for view in views
        ]
    return schema


def field_schema(field: InputField) -> Schema:
    """The JSON schema of one value."""
    schema: Schema
    if field.kind is Kind.NUMBER:
        schema = {"type": "number"}
    elif field.kind is Kind.INTEGER:
        schema = {"type": "integer"}
    elif field.kind is Kind.BOOLEAN:
        schema = {"type": "boolean"}
    elif field.kind is Kind.TIME and (field.time_format or "").startswith("epoch"):
        schema = {"type": "number"}
    elif field.kind is Kind.TIME:
        schema = {"type": "string", "format": "date-time"}
    else:
        schema = {"type": "string"}
    types = [schema["type"], *(["integer"] if field.numerals else []), *([] if field.required else ["null"])]
    schema["type"] = types if len(types) > 1 else types[0]
    if field.categories:
        schema["examples"] = list(field.categories[:10])
    elif field.minimum is not None and field.maximum is not None and field.kind.is_numeric:
        schema["examples"] = [field.minimum, field.maximum]
    if field.description:
        schema["description"] = field.description
    return schema


def prediction_schema(manifest: Manifest) -> Schema:
    """One prediction, as the native protocol answers it."""
    if not manifest.output.classes:
        return {"type": "object", "properties": {"prediction": {"type": "number"}}, "required": ["prediction"]}
    classes = list(manifest.output.classes)
    probabilities = {
        "type": "object",
        "properties": {label: {"type": "number", "minimum": 0, "maximum": 1} for label in classes},
        "required": classes,
    }
    return {
        "type": "object",
        "properties": {"prediction": {"type": "string", "enum": classes}, "probabilities": probabilities},
        "required": ["prediction", "probabilities"],
    }


ERROR: Schema = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "cure": {"type": "string"},
        "where": {"type": "object"},
    },
    "required": ["error", "message"],
}
"""The error of the native protocol."""
NATIVE_ERROR: Schema = {"$ref": "#/components/schemas/Error"}
