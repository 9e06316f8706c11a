"""A path or a URI → the model that it names, loaded by the way that suits it; no code runs unasked."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.errors import ReleaseError, SourceNotFound, UsageError
from mainspring.release.adoption.from_estimator import from_pickle, from_skops, looks_like_pickle
from mainspring.release.adoption.from_mlflow import DESCRIPTION, fetched, from_mlflow, is_uri
from mainspring.release.adoption.from_onnx import from_onnx
from mainspring.release.adoption.onnx_checks import GREATEST
from mainspring.release.adoption.original import Original

_FORMATS = (
    "an ONNX file, a skops file, a pickle or joblib file, an MLflow folder, models:/NAME@ALIAS or runs:/ID/PATH"
)


@contextmanager
def opened_original(place: str, tracking: str, trusted: Collection[str], *, trust: bool) -> Iterator[Original]:
    """The model, for as long as the block lasts.

    Args:
        place: a file, the folder of an MLflow model, or a URI that MLflow knows.
        tracking: the MLflow store that knows the URI.
        trusted: types that a skops file may hold besides the harmless ones.
        trust: whether the model may run code when it is loaded.

    Raises:
        SourceNotFound: there is nothing of that name.
        UsageError: loading it would run code, and it is not trusted.
        ReleaseError: it is no model that can be read here.
    """
    if is_uri(place):
        with tempfile.TemporaryDirectory(prefix="mainspring-adopt-") as folder:
            fetch = fetched(place, tracking, Path(folder))
            yield from_mlflow(fetch, place, trusted, trust=trust)
        return
    path = Path(place)
    if "\0" in place or not path.exists():
        raise SourceNotFound(f"there is no {place[:200]}", cure=f"give {_FORMATS}", where={"file": place[:200]})
    if path.is_dir():
        if not (path / DESCRIPTION).is_file():
            raise ReleaseError(
                f"the folder {place} is no MLflow model: it has no file {DESCRIPTION}",
                cure=f"give {_FORMATS}",
                where={"file": place},
            )
        yield from_mlflow(path, place, trusted, trust=trust)
        return
    yield _of_file(path, place, trusted, trust=trust)


def _of_file(path: Path, name: str, trusted: Collection[str], *, trust: bool) -> Original:
    content = _content(path, name)
    ending = path.suffix.lower()
    if ending == ".onnx":
        return from_onnx(content, name)
    if ending == ".skops" or content.startswith(b"PK\x03\x04"):
        return from_skops(content, name, trusted, trust=trust)
    if looks_like_pickle(path, content[:8]):
        if not trust:
            raise UsageError(
                f"{name} is a pickle: whoever made it decides what runs here when it is loaded",
                cure="if you know where it is from, say so with --trust; skops and ONNX files need none",
                where={"file": name},
            )
        return from_pickle(content, name)
    raise UsageError(f"{name} is of no known format", cure=f"give {_FORMATS}", where={"file": name})


def _content(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise ReleaseError(f"{name} is no plain file", cure=f"give {_FORMATS}", where={"file": name})
        size = path.stat().st_size
        if size > GREATEST:
            raise ReleaseError(
                f"{name} has {size / 1e9:.1f} GB, more than {GREATEST / 1e9:g} GB",
                cure="adopt a smaller model",
                where={"file": name},
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceNotFound(
            f"{name} cannot be read: {error.strerror or error}", cure="check the path", where={"file": name}
        ) from error
