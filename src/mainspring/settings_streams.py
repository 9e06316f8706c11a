"""The streams `[[stream]]` of `mainspring.toml`: rows of feature views that come by Redis."""

import difflib
from typing import Any

from mainspring.domain.feature_stream import FeatureStream
from mainspring.errors import SettingsError
from mainspring.settings_expansion import Expansion
from mainspring.settings_token import holds_secret

_EXAMPLES = {
    "view": 'view = "spending"',
    "name": 'name = "purchases"',
    "url": 'url = "redis://localhost:6379/0"',
    "group": 'group = "mainspring"',
}
_OPTIONAL = ("url", "group")


def read_streams(found: Any, file: str, expand: Expansion, features_url: str) -> tuple[FeatureStream, ...]:
    """The streams from the document's entry.

    Args:
        file: the name of the settings' file, for errors.
        features_url: the online store's, where a stream that names no place is, if that is Redis.

    Raises:
        SettingsError: an entry is unknown, missing or of another kind, or two streams are one.
    """
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SettingsError(
            f"{file}: stream is no list of streams",
            cure="begin each stream with [[stream]] on a line of its own",
            where={"file": file, "key": "stream"},
        )
    streams = tuple(_stream(one, place, file, expand, features_url) for place, one in enumerate(found, 1))
    for place, one in enumerate(streams):
        if any(
            (one.url, one.name, one.group) == (other.url, other.name, other.group) for other in streams[:place]
        ):
            cure = "give each view a stream, or a group, of its own"
            raise _wrong(f"the stream {one.name!r} comes twice", cure, file, "stream")
    return streams


def _stream(given: dict[str, Any], place: int, file: str, expand: Expansion, features_url: str) -> FeatureStream:
    key = f"stream[{place}]"
    for name, value in given.items():
        if name not in _EXAMPLES:
            near = difflib.get_close_matches(name, _EXAMPLES, 1)
            cure = f"did you mean {near[0]}?" if near else f"use {', '.join(_EXAMPLES)}"
            raise _wrong(f"{key} has the unknown entry {name}", cure, file, key)
        if not isinstance(value, str) or not value.strip():
            raise _wrong(f"{key}.{name} = {value!r} is no text", f"write e.g. {_EXAMPLES[name]}", file, key)
    for name, example in _EXAMPLES.items():
        if name not in given and name not in _OPTIONAL:
            raise _wrong(f"{key} has no {name}", f"write e.g. {example}", file, key)
    if holds_secret(given.get("url")):
        raise _wrong(
            f"{key}.url holds a password, and secrets must not stand in the file",
            "write $NAME in its place, and set NAME in the environment",
            file,
            key,
        )
    url = expand.text(f"{key}.url", {f"{key}.url": given.get("url")}) or features_url
    if url.partition("://")[0] not in ("redis", "rediss", "unix"):
        raise _wrong(f"{key} has no url of Redis", f"write e.g. {_EXAMPLES['url']}", file, key)
    return FeatureStream(view=given["view"], name=given["name"], url=url, group=given.get("group", "mainspring"))


def _wrong(message: str, cure: str, file: str, key: str) -> SettingsError:
    return SettingsError(f"{file}: {message}", cure=cure, where={"file": file, "key": key})
