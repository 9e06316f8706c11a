"""How a release's target was read at training: what its labels are spelled like.

Imports nothing heavy: gateway workers use it.
"""

from pathlib import Path

from mainspring.data.schema_file import parse_schema
from mainspring.domain.release import Manifest
from mainspring.domain.schema import Column
from mainspring.errors import MainspringError
from mainspring.release.files import read_verified

_SCHEMA = "source/schema.toml"


def target_column(manifest: Manifest, folder: Path) -> Column | None:
    """The target's column; `None` where the release does not tell, being adopted, say."""
    if _SCHEMA not in manifest.files:
        return None
    try:
        schema = parse_schema(read_verified(folder, manifest, _SCHEMA).decode("utf-8"))
    except (MainspringError, UnicodeDecodeError):
        return None  # labels are then read as the classes are spelled
    return next((column for column in schema if column.name == manifest.target), None)
