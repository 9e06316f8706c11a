"""The locations of a source → its files, in order."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Sequence
from pathlib import Path

from mainspring.data.sources.part import SourceFile, unreadable
from mainspring.domain.source import Source
from mainspring.errors import SourceNotFound

_WILD = ("*", "?", "[")


def locate(source: Source, root: Path) -> list[SourceFile]:
    """The files that a source names; those of a glob sorted by name. Folders only where they are Delta tables.

    Args:
        root: relative locations are relative to it.

    Raises:
        SourceNotFound: a location that is not there, is a folder, or a glob that matches nothing.
    """
    found: list[SourceFile] = []
    for location in source.locations:
        plain = location.removeprefix("file://")
        if "://" in plain:
            raise SourceNotFound(
                f"{location} is a cloud URL, which cannot be read yet",
                cure="copy the files here and name them",
                where={"file": location},
            )
        exact = _resolve(plain, root)
        if _exists(exact, plain):
            found.append(SourceFile(_checked(exact, plain), plain))
        elif any(mark in plain for mark in _WILD):
            found.extend(_matches(plain, root))
        else:
            raise _absent(plain, exact)
    return found


def _resolve(text: str, root: Path) -> Path:
    return root / Path(text).expanduser()


def _exists(path: Path, name: str) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise unreadable(name, error) from error


def _matches(pattern: str, root: Path) -> Sequence[SourceFile]:
    base = Path(pattern).expanduser()
    names = sorted(glob.glob(str(base), root_dir=None if base.is_absolute() else root, recursive=True))  # noqa: PTH207
    files = [SourceFile(root / name, name) for name in names if (root / name).is_file()]
    if not files:
        raise SourceNotFound(
            f"no file matches {pattern}",
            cure=_beside(root / base.parent, "correct the pattern"),
            where={"file": pattern},
        )
    return files


def _checked(path: Path, name: str) -> Path:
    if path.is_dir() and not (path / "_delta_log").is_dir():
        kinds = sorted({entry.suffix for entry in path.iterdir() if entry.is_file() and entry.suffix})
        pattern = f"{name.rstrip('/')}/*{kinds[0]}" if kinds else "a file"
        raise SourceNotFound(
            f"{name} is a folder, and no Delta table", cure=f"name its files, e.g. {pattern}", where={"file": name}
        )
    return path


def _absent(name: str, path: Path) -> SourceNotFound:
    near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, near, n=1)
    if close:
        cure = f"did you mean {Path(name).with_name(close[0])}?"
    elif path.parent.is_dir():
        cure = _beside(path.parent, "correct the path")
    else:
        cure = f"there is no folder {Path(name).parent} either: correct the path"
    return SourceNotFound(f"there is no file {name}", cure=cure, where={"file": name})


def _beside(folder: Path, fallback: str) -> str:
    if not folder.is_dir():
        return fallback
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))[:5]
    return f"{fallback}; the folder has {', '.join(names)}" if names else f"{fallback}; the folder is empty"
