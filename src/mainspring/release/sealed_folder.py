"""The release folder as a whole: made beside its place, signed, shown to open, then given its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.domain.release import Manifest
from mainspring.errors import StoreError
from mainspring.release.manifest import MANIFEST, SIGNATURE, encode_manifest
from mainspring.release.opening import open_release
from mainspring.release.signed_manifest import read_manifest
from mainspring.release.signing import sign
from mainspring.stores.atomic import naming_a_full_disk, publish_folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Sealing:
    """A release to be sealed.

    Attributes:
        run_id: of the run or the adoption that makes it.
        contents: gives the files but manifest and signature, and the manifest that names them; called only where
            the release is not there yet.
    """

    model: str
    number: int
    run_id: str
    contents: Callable[[], tuple[dict[str, bytes], Manifest]] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.model}@{self.number}"


def seal_folder(sealing: Sealing, folder: Path, key: Ed25519PrivateKey) -> Manifest:
    """Make the release folder, prove that it opens, and give it its name; all or nothing.

    A folder that this run sealed before is left as it is. What a killed attempt left behind is removed.

    Args:
        folder: the release's final place, `<releases>/<model>/<number>`; what is missing above it is made.
        key: signs the manifest.

    Returns:
        The manifest, as it was written.

    Raises:
        StoreError: another run's release is in that place.
        DiskFull: there is no room; nothing is left behind.
        ReleaseError: the release does not open.
    """
    draft = folder.with_name(f".{folder.name}.sealing")
    if draft.exists():
        shutil.rmtree(draft)
    if folder.exists():
        return _sealed_before(sealing, folder, key)
    role = f"the release {sealing.name}"
    try:
        with naming_a_full_disk(role):
            draft.mkdir(parents=True)
        manifest = _write(sealing, draft, key, role)
        open_release(draft, [key.public_key()]).close()
        publish_folder(draft, folder, role=role)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()  # only if it is empty
        raise
    return manifest


def _sealed_before(sealing: Sealing, folder: Path, key: Ed25519PrivateKey) -> Manifest:
    manifest = read_manifest(folder, [key.public_key()])
    if manifest.run_id != sealing.run_id:
        raise StoreError(
            f"the place of {sealing.name} is taken by the release of another run ({manifest.run_id})",
            cure="reserve a number of its own for this one",
            where={"release": sealing.name},
        )
    open_release(folder, [key.public_key()]).close()
    return manifest


def _write(sealing: Sealing, draft: Path, key: Ed25519PrivateKey, role: str) -> Manifest:
    files, manifest = sealing.contents()
    content = encode_manifest(manifest)
    files |= {MANIFEST: content, SIGNATURE: sign(content, key)}
    for name, content in files.items():
        place = draft / name
        with naming_a_full_disk(role):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return manifest
