"""Files of a release folder, read once and checked: the bytes that are verified are the bytes that are used.

Imports the standard library only: gateway workers and the native runtime's process use it.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Manifest
from mainspring.errors import TamperedRelease
from mainspring.release.manifest import MANIFEST, SIGNATURE, is_inside

_CURE = "fetch the release again from where it was sealed, or seal the model anew"


def read_verified(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of one file of the release, which are those that were sealed.

    Args:
        manifest: of the release in `folder`, its signature already verified.
        name: as the manifest has it.

    Raises:
        TamperedRelease: the file is absent, is no plain file, or has other bytes.
    """
    content = read_plain(folder, name, release=str(manifest.ref))
    if digest_bytes(content) != manifest.files.get(name):
        raise _tampered(str(manifest.ref), name, "is not the one that was sealed")
    return content


def read_plain(folder: Path, name: str, *, release: str) -> bytes:
    """The bytes of a file in a release folder, unverified. No link is followed.

    Raises:
        TamperedRelease: there is no plain file of that name.
    """
    if not is_inside(name):
        raise _tampered(release, name, "lies outside the release")
    try:
        place = folder
        for part in Path(name).parts[:-1]:
            place = place / part
            if place.is_symlink():
                raise _tampered(release, name, "lies behind a link")
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        problem = "is absent" if isinstance(error, FileNotFoundError) else "is no plain file"
        raise _tampered(release, name, problem) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _tampered(release, name, "is no plain file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def check_whole(folder: Path, manifest: Manifest, skip: Iterable[str] = ()) -> None:
    """Check that the folder holds the sealed files, all of them and nothing else.

    Args:
        skip: files that were read by `read_verified` already.

    Raises:
        TamperedRelease: a file is absent, changed, or was added.
    """
    expected = {*manifest.files, MANIFEST, SIGNATURE}
    for place in sorted(folder.rglob("*")):
        name = place.relative_to(folder).as_posix()
        if name not in expected and not (place.is_dir() and not place.is_symlink()):
            raise _tampered(str(manifest.ref), name, "was added after the sealing")
    for name in sorted({*manifest.files}.difference(skip)):
        read_verified(folder, manifest, name)


def _tampered(release: str, name: str, problem: str) -> TamperedRelease:
    return TamperedRelease(
        f"the file {name[:100]!r} of {release} {problem}",
        cure=_CURE,
        where={"release": release, "file": name[:100]},
    )
