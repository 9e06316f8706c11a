"""`manifest.json`: the contract between training and serving, as bytes and back.

Imports msgspec and numpy at most: gateway workers use it.
"""

import math
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from mainspring.domain.release import FEATURES, MANIFEST_FORMAT, Manifest, RuntimeKind
from mainspring.domain.task import Task
from mainspring.errors import ReleaseError

MANIFEST = "manifest.json"
SIGNATURE = "signature"

_LARGEST = 32 * 1024 * 1024
_GREATEST_NUMBER = 999_999_999  # what a reference can name
_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELD = re.compile(r" - at `\$\.?(.*)`$")
_CURE = "seal the model anew with `mainspring run`"


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as JSON: the same bytes for the same manifest, indented for people.

    Raises:
        ReleaseError: a number that is not finite, or a value that no JSON can hold; it names the field.
    """
    try:
        plain = msgspec.to_builtins(manifest, enc_hook=_plain_number, str_keys=True)
    except (TypeError, OverflowError) as error:
        raise ReleaseError(f"the manifest cannot be written: {error}", cure="use plain values only") from error
    for field, value in _leaves("", plain):
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(field, f"{value} is no number", "use a finite number, or None where there is none")
    # Read back first: what cannot be read is not written, and a whole number in a field of floats becomes one.
    readable = decode_manifest(msgspec.json.encode(plain))
    return msgspec.json.format(msgspec.json.encode(readable, order="sorted"), indent=1) + b"\n"


def decode_manifest(content: bytes) -> Manifest:
    """Read a manifest, and check that it makes sense by itself.

    Raises:
        ReleaseError: it is no manifest, one of a newer format, or a field is absent or wrong; it names the field.
    """
    if len(content) > _LARGEST:
        raise _wrong("", f"{len(content)} bytes are more than a manifest has", _CURE)
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format != MANIFEST_FORMAT:
            raise _wrong(
                "format",
                f"{header.format} is not known here ({MANIFEST_FORMAT} is)",
                "upgrade mainspring" if header.format > MANIFEST_FORMAT else _CURE,
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        raise _wrong(found[1] if found else "", _FIELD.sub("", str(error)), _CURE) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong("", f"it is no JSON: {error}", _CURE) from error
    for field, problem in _problems(manifest):
        raise _wrong(field, problem, _CURE)
    return manifest


class _Header(msgspec.Struct):
    format: int


def _problems(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What the types alone do not forbid: field, problem."""
    if not _MODEL.fullmatch(manifest.model):
        yield "model", f"{manifest.model[:80]!r} is no name of a model"
    if not 1 <= manifest.number <= _GREATEST_NUMBER:
        yield "number", f"{str(manifest.number)[:30]} is no number of a release"
    if manifest.created_at.tzinfo is None:
        yield "created_at", "it has no time zone"
    names = [field.name for field in manifest.inputs]
    if not names or len(set(names)) != len(names):
        yield "inputs", "a field is named twice" if names else "there are none"
    yield from _feature_problems(manifest)
    for name, digest in manifest.files.items():
        if not is_inside(name) or name in (MANIFEST, SIGNATURE):
            yield "files", f"{name[:80]!r} is no file of a release"
        if not _DIGEST.fullmatch(digest):
            yield "files", f"{name!r} has no SHA-256"
    runtime = manifest.runtime
    for name in runtime.files:
        if name not in manifest.files:
            yield "runtime.files", f"{name[:80]!r} is not among the files"
    if runtime.kind is RuntimeKind.ONNX and len(runtime.files) != 1:
        yield "runtime.files", "a compiled model is one file"
    if not 0 <= runtime.tolerance < 1:
        yield "runtime.tolerance", f"{runtime.tolerance} is no tolerance"
    output = manifest.output
    if output.task is not manifest.task:
        yield "output.task", f"{output.task} is not the task {manifest.task}"
    classes = len(set(output.classes))
    if classes != len(output.classes):
        yield "output.classes", "a class is named twice"
    if (manifest.task is Task.REGRESSION) != (classes == 0) or (manifest.task is Task.BINARY and classes != 2):
        yield "output.classes", f"{classes} classes are no {manifest.task} task"
    if manifest.task is Task.BINARY and output.positive not in output.classes:
        yield "output.positive", f"{output.positive!r} is none of the classes"


def _feature_problems(manifest: Manifest) -> Iterator[tuple[str, str]]:
    names = [field.name for field in manifest.inputs]
    if tuple(names[len(names) - len(manifest.carried) :]) != manifest.carried:
        yield "carried", "these are not the last inputs"
    made = [name for function in manifest.functions for name in function.outputs]
    if len({*names, *made}) != len(names) + len(made):
        yield "functions", "an output has the name of an input, or of another"
    for function in manifest.functions:
        if not function.inputs or not function.outputs or not {*function.inputs} <= {*names}:
            yield "functions", f"{function.name[:80]!r} takes what is no input"
    if manifest.functions and FEATURES not in manifest.files:
        yield "functions", f"{FEATURES} is not among the files"
    views = [view.view for view in manifest.views]
    if len({*views}) != len(views):
        yield "views", "a view is named twice"
    for view in manifest.views:
        if not view.keys:
            yield "views", f"{view.view[:80]!r} has no key"
        for feature, column in view.features.items():
            if feature not in dict(view.kinds) or column not in names:
                yield "views", f"{view.view[:80]!r} has no feature {feature[:80]!r}, or the release no such input"


def is_inside(name: str) -> bool:
    """Whether a file's name, as a manifest gives it, stays inside the release's folder on every system.

    Examples:
        >>> is_inside("source/model.py"), is_inside("../model.py"), is_inside("/etc/passwd"), is_inside("a//b")
        (True, False, False, False)
    """
    path = PurePosixPath(name)
    return (
        name not in ("", ".")
        and str(path) == name
        and not path.is_absolute()
        and ".." not in path.parts
        and not any(character in "\\:" or ord(character) < 32 for character in name)
    )


def _leaves(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{field}.{key}" if field else str(key), inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _leaves(f"{field}[{place}]", inner)
    else:
        yield field, value


def _plain_number(value: Any) -> Any:
    if type(value).__module__ == "numpy" and hasattr(value, "item"):  # not asked of numpy, which the parent lacks
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain value")


def _wrong(field: str, problem: str, cure: str) -> ReleaseError:
    place = f"{MANIFEST}: {field}: " if field else f"{MANIFEST}: "
    return ReleaseError(f"{place}{problem}", cure=cure, where={"file": MANIFEST, "field": field})
