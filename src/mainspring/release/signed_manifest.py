"""The manifest of a release folder, read only when a trusted key has signed it.

Imports no numpy: the gateway's parent judges releases by it, and opens none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Manifest
from mainspring.errors import TamperedRelease
from mainspring.release.files import read_plain
from mainspring.release.manifest import MANIFEST, SIGNATURE, decode_manifest
from mainspring.release.signing import verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def read_manifest(
    folder: Path, trusted: Sequence[Ed25519PublicKey], *, expected_digest: str | None = None
) -> Manifest:
    """The manifest of a release folder, its signature verified; read once.

    Args:
        trusted: public keys, one of which must have signed it.
        expected_digest: SHA-256 of the manifest that was registered or promoted, where that is known.

    Raises:
        TamperedRelease: it is absent, is another one than expected, or no trusted key signed it.
        ReleaseError: it cannot be read, or is of a newer format.
    """
    name = f"{folder.parent.name}@{folder.name}"  # what the folder says; the manifest's own word comes later
    content = read_plain(folder, MANIFEST, release=name)
    if expected_digest is not None and digest_bytes(content) != expected_digest:
        raise TamperedRelease(
            f"the manifest of {name} is not the one that was registered",
            cure="fetch the release again from where it was sealed",
            where={"release": name, "file": MANIFEST},
        )
    verify(content, read_plain(folder, SIGNATURE, release=name), trusted, release=name)
    return decode_manifest(content)
