"""Whether a source holds other rows than before, without reading more of it than that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mainspring.data.sources.locating import locate
from mainspring.data.sources.opening import open_source
from mainspring.data.sources.part import unreadable
from mainspring.domain.ids import digest_json
from mainspring.domain.source import Source


def source_stamp(source: Source, root: Path) -> str | None:
    """Changes when a file of the source is written, comes or goes; costs a look at the folder.

    Returns:
        `None` for a query: only its rows tell.

    Raises:
        SourceNotFound: a file is not there.
    """
    if source.is_sql:
        return None
    return digest_json([_state(path) for file in locate(source, root) for path in _files(file.path)])


def source_content(source: Source, root: Path, environ: Mapping[str, str]) -> str:
    """The same for the same rows, whatever the files are called: reads them all, or runs the query.

    Raises:
        DataError: it cannot be read, or was written meanwhile.
    """
    with open_source(source, root, environ) as parts:
        return content_of(part.digest() for part in parts)


def content_of(digests: Iterable[str]) -> str:
    """As `source_content`, from the digests of the parts, such as a snapshot keeps."""
    return digest_json(list(digests))


def _files(path: Path) -> list[Path]:
    """The file; of a Delta table its log, to which every change adds a file."""
    return sorted((path / "_delta_log").iterdir()) if path.is_dir() else [path]


def _state(path: Path) -> list[str | int]:
    try:
        state = path.stat()
    except OSError as error:
        raise unreadable(path.name, error) from error
    return [str(path), state.st_ino, state.st_size, state.st_mtime_ns]
