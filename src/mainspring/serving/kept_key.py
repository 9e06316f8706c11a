"""An event's key as the prediction log has it, so that feedback by key finds what it is about."""

from mainspring.domain.release import Manifest
from mainspring.domain.request_values import RefusedValue
from mainspring.domain.schema import Personal
from mainspring.serving.personal import PersonalMask


def kept_key(manifest: Manifest, key: str, secret: bytes) -> str | None:
    """What the log of this model keeps of a key; `None` where it keeps nothing by which one event can be found.

    Args:
        secret: of the workspace, for personal values.
    """
    name = manifest.key
    if name is None:
        return None
    fields = tuple(field for field in manifest.logged if field.name == name)
    tag = fields[0].personal if fields else manifest.key_personal
    if tag is None:
        return key
    if tag is not Personal.HASH:
        return None
    mask = PersonalMask(fields, name, tag, secret)
    for value in (key, *([int(key)] if key.isascii() and key.lstrip("-").isdigit() else [])):
        try:
            kept = mask([{name: value}])[0].get(name)
        except RefusedValue:
            continue  # the text of a number: the next form of it
        return kept if isinstance(kept, str) else None
    return None
