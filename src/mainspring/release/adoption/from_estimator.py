"""Estimators from files: skops names types and runs no code; a pickle runs whatever it likes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from mainspring.domain.ids import digest_bytes
from mainspring.errors import ReleaseError, UsageError
from mainspring.release.adoption.adopted import AdoptedModel, Asking, named_errors
from mainspring.release.adoption.original import Check, Original, Wants
from mainspring.release.estimator_file import SKOPS, SKOPS_TYPES, write_estimator

_GREATEST = 2_000_000_000  # bytes, unpacked
_SHOWN = 12
_MADE_UP = re.compile(r"Column_\d+")


def from_skops(content: bytes, name: str, trusted: Collection[str], *, trust: bool) -> Original:
    """The estimator of a skops file, by the safe loader.

    Args:
        name: of the file, in errors.
        trusted: types of other libraries that the user allows besides those that skops knows to be harmless.
        trust: whether all of them are allowed.

    Raises:
        ReleaseError: it is no skops file, or cannot be read here.
        UsageError: it holds types that were not allowed; the message lists them.
    """
    import skops.io

    _check_archive(content, name)
    with named_errors(name, "give a file that skops.io.dump has written"):
        types = sorted(skops.io.get_untrusted_types(data=content))
    refused = [] if trust else [one for one in types if one not in trusted]
    if refused:
        listed = ", ".join(refused[:_SHOWN]) + (
            f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        )
        options = " ".join(f"--trust-type {one}" for one in refused[:_SHOWN])
        raise UsageError(
            f"{name} holds types that may run code when they are loaded: {listed}",
            cure=f"look at them, and if you know where the file is from, allow them: {options}",
            where={"file": name},
        )
    with named_errors(name):
        estimator = skops.io.loads(content, trusted=types)
    files = {SKOPS: content, SKOPS_TYPES: msgspec.json.encode(types)}
    return of_estimator(estimator, "a skops file", digest_bytes(content), kept=files)


def from_pickle(content: bytes, name: str) -> Original:
    """The object of a pickle or joblib file. Loading it runs the code in it: only for files that a person trusts.

    Raises:
        ReleaseError: it cannot be read here, or is no estimator.
    """
    import joblib

    with named_errors(name):
        estimator = joblib.load(io.BytesIO(content))  # reads plain pickles as well
    return of_estimator(estimator, "a pickle", digest_bytes(content))


def of_estimator(estimator: Any, source: str, digest: str, kept: dict[str, bytes] | None = None) -> Original:
    """An estimator, wherever it came from.

    Args:
        source: in words.
        digest: of the files that it was read from.
        kept: the files that hold it; without them the safest format that holds it is looked for.

    Raises:
        ReleaseError: it cannot predict.
    """
    kind = type(estimator).__name__
    if isinstance(estimator, type) or not callable(getattr(estimator, "predict", None)):
        raise ReleaseError(
            f"{source} holds an object of the type {kind}, which has no predict",
            cure="save the fitted estimator itself, with its preprocessing in one Pipeline",
        )
    classes = _attribute(estimator, "classes_")
    return Original(
        form="estimator",
        about=f"{_article(kind)} {kind} from {source}",
        digest=digest,
        model=estimator,
        wants=_wants(estimator),
        keep=(lambda _: kept) if kept is not None else lambda check: write_estimator(estimator, check),
        classes=None if classes is None else tuple(classes),
        threshold=_threshold(estimator),
    )


def check_of(asking: Asking, X: Any) -> Check:
    """The answers of a loaded estimator to some rows, asked as it will be."""
    return lambda estimator: AdoptedModel(estimator, asking).outputs(X)


def _wants(estimator: Any) -> Wants:
    names = _attribute(estimator, "feature_names_in_")
    if names is None:
        names = _attribute(estimator, "feature_names_")  # CatBoost
    if names is None and type(estimator).__name__ == "Booster":
        names = _called(estimator, "feature_name")  # LightGBM
    width = _attribute(estimator, "n_features_in_")
    if names is not None and all(_MADE_UP.fullmatch(str(name)) for name in names):
        names = None  # LightGBM's own names of the columns of an array
    if names is not None:
        return Wants(names=tuple(map(str, names)))
    return Wants(width=None if width is None else int(width), matrix=None if width is None else "float64")


def _threshold(estimator: Any) -> float | None:
    """Of scikit-learn's classifiers that move their threshold; they all answer by `predict_proba` unmoved."""
    if type(estimator).__name__ not in ("TunedThresholdClassifierCV", "FixedThresholdClassifier"):
        return None
    value = _attribute(estimator, "best_threshold_") or _attribute(estimator, "threshold")
    method = str(getattr(estimator, "response_method", "auto"))
    return float(value) if isinstance(value, int | float) and method in ("auto", "predict_proba") else None


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:  # a property of somebody's code may raise anything, e.g. where it is not fitted
        return None


def _called(estimator: Any, name: str) -> Any:
    method = _attribute(estimator, name)
    try:
        return method() if callable(method) else None
    except Exception:
        return None


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _check_archive(content: bytes, name: str) -> None:
    """skops unpacks whole: what it would unpack to is asked first."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ReleaseError(
            f"{name} is no skops file", cure="give a file that skops.io.dump has written", where={"file": name}
        ) from error
    if "schema.json" not in names:
        raise ReleaseError(
            f"{name} is an archive, but not of skops: it has no schema.json",
            cure="give a file that skops.io.dump has written",
            where={"file": name},
        )
    if size > _GREATEST:
        raise ReleaseError(
            f"{name} unpacks to {size / 1e9:.1f} GB, more than {_GREATEST / 1e9:g} GB",
            cure="save a smaller model",
            where={"file": name},
        )


def looks_like_pickle(place: Path, head: bytes) -> bool:
    """By name or by its first bytes; nothing is loaded."""
    packed = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x78\x9c", b"\x78\x01", b"\x78\xda", b"ZF")
    return (
        place.suffix.lower() in (".pkl", ".pickle", ".joblib", ".sav")
        or (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))
        or head.startswith(packed)
    )
