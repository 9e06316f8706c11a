"""The streams `[[stream]]` of `mainspring.toml`: rows of feature views that come by Redis."""

from typing import Any

from mainspring.domain.feature_stream import FeatureStream
from mainspring.settings_expansion import Expansion
from mainspring.settings_sections import Sections
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
    sections = Sections(file, "stream", "stream")
    streams = tuple(_stream(sections, key, given, expand, features_url) for key, given in sections.of(found))
    for place, one in enumerate(streams):
        if any(
            (one.url, one.name, one.group) == (other.url, other.name, other.group) for other in streams[:place]
        ):
            cure = "give each view a stream, or a group, of its own"
            raise sections.wrong(f"the stream {one.name!r} comes twice", cure, "stream")
    return streams


def _stream(
    sections: Sections, key: str, given: dict[str, Any], expand: Expansion, features_url: str
) -> FeatureStream:
    for name, value in given.items():
        sections.check_known(key, name, _EXAMPLES)
        if not isinstance(value, str) or not value.strip():
            raise sections.wrong(f"{key}.{name} = {value!r} is no text", f"write e.g. {_EXAMPLES[name]}", key)
    for name, example in _EXAMPLES.items():
        if name not in given and name not in _OPTIONAL:
            raise sections.wrong(f"{key} has no {name}", f"write e.g. {example}", key)
    if holds_secret(given.get("url")):
        raise sections.wrong(
            f"{key}.url holds a password, and secrets must not stand in the file",
            "write $NAME in its place, and set NAME in the environment",
            key,
        )
    url = expand.text(f"{key}.url", {f"{key}.url": given.get("url")}) or features_url
    if url.partition("://")[0] not in ("redis", "rediss", "unix"):
        raise sections.wrong(f"{key} has no url of Redis", f"write e.g. {_EXAMPLES['url']}", key)
    return FeatureStream(view=given["view"], name=given["name"], url=url, group=given.get("group", "mainspring"))
