"""The folder of an MLflow model: read as bytes when it is adopted, written out again where it is to answer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import ReleaseError
from mainspring.quiet import be_quiet
from mainspring.release.adoption.adopted import MLFLOW
from mainspring.release.manifest import is_inside

_GREATEST = 2_000_000_000  # bytes; a message to the process of a native runtime holds no more than twice as many
_DOWNLOAD = "registered_model_meta"  # what MLflow adds to the files when it brings them
_folders: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def packed(folder: Path) -> dict[str, bytes]:
    """The folder's files as they go into a release.

    Raises:
        ReleaseError: it has links or files of names that no release can hold, or is too large.
    """
    files: dict[str, bytes] = {}
    size = 0
    for place in sorted(folder.rglob("*")):
        name = place.relative_to(folder).as_posix()
        if place.is_symlink() or not (place.is_dir() or place.is_file()) or not is_inside(name):
            raise ReleaseError(
                f"the MLflow model has {name[:80]!r}, which is no plain file", cure="log the model again"
            )
        if place.is_file() and place.name != _DOWNLOAD and "__pycache__" not in place.parts:
            size += place.stat().st_size
            if size > _GREATEST:
                raise ReleaseError(
                    f"the MLflow model has more than {_GREATEST / 1e9:g} GB of files",
                    cure="log it without what it does not need to answer",
                )
            files[MLFLOW + name] = place.read_bytes()
    return files


def unpacked(files: Mapping[str, bytes], *, raw: bool) -> Any:
    """The model of these files; loading it runs its code, so they come from a verified release.

    The folder that they are written to stays as long as the process: a model may read from it when it is asked.

    Args:
        raw: the estimator that the model holds, not the function around it.
    """
    folder = tempfile.TemporaryDirectory(prefix="mainspring-mlflow-", ignore_cleanup_errors=True)
    _folders.append(folder)
    for name, content in files.items():
        if name.startswith(MLFLOW):
            place = Path(folder.name, name.removeprefix(MLFLOW))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    model = load(Path(folder.name))
    return model.get_raw_model() if raw else model


def load(folder: Path) -> Any:
    """The model as MLflow loads it."""
    be_quiet()
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))
