"""Files and folders appear whole or not at all: temporary name, fsync, rename, fsync of the folder."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mainspring.errors import DiskFull, StoreError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def naming_a_full_disk(role: str) -> Iterator[None]:
    """Turn the system's "no space left" into an error that says what was being written.

    Args:
        role: what the place is for, e.g. `the release adclick@7`; no path, which may be private.

    Raises:
        DiskFull: the disk or the quota is full, or the file is larger than the system allows.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(
            f"the disk is full while writing {role}",
            cure="free some space and start again; nothing was left half-written",
            where={"place": role},
        ) from error


def write_atomic(path: Path, content: bytes, *, role: str | None = None, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, also after a power cut.

    Args:
        role: what the file is for, in the error of a full disk; its name where not given.
        mode: its permissions, whatever the umask; set before the first byte is written.

    Raises:
        DiskFull: there is no room; the old file stands as it was.
    """
    # A leftover of a killed process with the same number is simply overwritten.
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with naming_a_full_disk(role or path.name):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def publish_folder(temporary: Path, final: Path, *, role: str | None = None) -> None:
    """Give a finished folder its final name; both must be on one file system.

    Every file and folder in it is on disk before the name appears.

    Args:
        role: what the folder is for, in the error of a full disk; its name where not given.

    Raises:
        DiskFull: there is no room.
        StoreError: something of that name is there already.
    """
    with naming_a_full_disk(role or final.name):
        for folder, _, files in os.walk(temporary):
            for name in files:
                _sync_file(Path(folder, name))
            sync_folder(Path(folder))
        try:
            # Unlike for files, a rename onto a folder that holds something is refused by the system itself.
            temporary.rename(final)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise StoreError(
                    f"{role or final.name} is there already", cure="keep it, or remove it first"
                ) from error
            raise
        sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
