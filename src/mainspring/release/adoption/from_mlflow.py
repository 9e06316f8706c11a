"""An MLflow model: by its URI or its folder, of any flavour."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.schema import Kind
from mainspring.errors import MainspringError, ReleaseError, SourceNotFound, UsageError
from mainspring.quiet import be_quiet
from mainspring.release.adoption.adopted import named_errors
from mainspring.release.adoption.from_estimator import from_skops, of_estimator
from mainspring.release.adoption.from_onnx import from_onnx
from mainspring.release.adoption.mlflow_folder import load, packed
from mainspring.release.adoption.original import Check, Original, Wants

DESCRIPTION = "MLmodel"
_URI = re.compile(r"(models|runs|mlflow-artifacts):/.+")
_GREATEST_DESCRIPTION = 10_000_000  # bytes; it may hold an example
_KINDS = {
    "double": (Kind.NUMBER, "float64"),
    "float": (Kind.NUMBER, "float32"),
    "long": (Kind.INTEGER, "int64"),
    "integer": (Kind.INTEGER, "int32"),
    "boolean": (Kind.BOOLEAN, "bool"),
    "string": (Kind.CATEGORY, "as it is"),
    "datetime": (Kind.TIME, "datetime64[ns]"),
}


def is_uri(text: str) -> bool:
    """Whether the text names a model in an MLflow server or store.

    Examples:
        >>> is_uri("models:/churn@champion"), is_uri("runs:/1f2/model"), is_uri("churn.onnx")
        (True, True, False)
    """
    return _URI.fullmatch(text) is not None


def fetched(uri: str, tracking: str, into: Path) -> Path:
    """The model's files, brought here; nothing of them is run.

    Args:
        tracking: the store that knows the name, e.g. `sqlite:///mlflow.db` or `https://mlflow.example.com`.

    Raises:
        SourceNotFound: MLflow does not find it there.
    """
    be_quiet()
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    try:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(tracking)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into)))
    except Exception as error:  # MLflow's own, the database's, the network's
        reason = next(iter(str(error).splitlines()), "")
        raise SourceNotFound(
            f"MLflow has no model {uri}: {reason[:300]}",
            cure="check the name, and name the store that knows it with --tracking",
            where={"place": "tracking"},
        ) from error
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


def from_mlflow(folder: Path, name: str, trusted: Collection[str], *, trust: bool) -> Original:
    """The model of an MLflow folder, by the safest way that its flavours allow.

    ONNX files and skops files in it are read as such and run no code; anything else runs code when it is loaded.

    Raises:
        ReleaseError: it is no MLflow model, or cannot be read here.
        UsageError: it could only be loaded by running its code, and nobody said that it is trusted.
    """
    description = _description(folder, name)
    flavors = description.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise _broken(name, "names no flavor")
    signed = _signature(description, name)
    onnx, safe = flavors.get("onnx"), _in_skops(flavors)
    if isinstance(onnx, dict):
        return _named(from_onnx(_file(folder, onnx.get("data"), name), name), signed)
    if safe is not None:
        content = _file(folder, safe, name)
        return _named(from_skops(content, name, trusted, trust=trust), signed)
    if not trust:
        kinds = ", ".join(sorted(map(str, flavors)))
        raise UsageError(
            f"{name} ({kinds}) can only be loaded by running the code in it",
            cure="if you know where it is from, say so with --trust; those of the onnx flavor, and those saved "
            "with serialization_format=skops, need none",
            where={"model": name},
        )
    return _loaded(folder, name, signed, code=bool(_codes(flavors)))


def _loaded(folder: Path, name: str, signed: Wants | None, *, code: bool) -> Original:
    with named_errors(name):
        model = load(folder)
        raw = _raw(model)
    files = packed(folder)
    digest = digest_json({name: digest_bytes(content) for name, content in files.items()})

    def keep_folder(_: Check) -> dict[str, bytes]:
        return files

    if raw is not None and _is_estimator(raw):
        found = _named(of_estimator(raw, "an MLflow model", digest), signed)
        # Code that came with the model is found only from its folder.
        return _changed(found, keep=keep_folder) if code else found
    return Original(
        form="function",
        about="an MLflow python function",
        digest=digest,
        model=model,
        wants=signed or Wants(),
        keep=keep_folder,
        notes=() if signed else ("the MLflow model has no signature: its columns are those of the sample",),
    )


def _raw(model: Any) -> Any:
    try:
        return model.get_raw_model()
    except Exception:  # a flavor without one: the function around it is asked
        return None


def _is_estimator(model: Any) -> bool:
    """One of scikit-learn's kind, which tells its classes; whatever else there is may predict anything."""
    if not callable(getattr(model, "predict", None)):
        return False
    return hasattr(model, "get_params") and (hasattr(model, "n_features_in_") or hasattr(model, "classes_"))


def _in_skops(flavors: Mapping[str, Any]) -> object:
    """The skops file of a flavor that has one, and no code beside it."""
    for flavor in flavors.values():
        if isinstance(flavor, dict) and flavor.get("serialization_format") == "skops" and not _codes(flavors):
            return flavor.get("pickled_model") or flavor.get("data")
    return None


def _codes(flavors: Mapping[str, Any]) -> list[Any]:
    return [one["code"] for one in flavors.values() if isinstance(one, dict) and one.get("code")]


def _named(original: Original, signed: Wants | None) -> Original:
    """With the columns' names of the signature, where the model itself has none."""
    wants = original.wants
    if wants.names is not None or signed is None or signed.names is None:
        return original
    if wants.width is not None and wants.width != len(signed.names):
        return original
    return _changed(original, wants=Wants(signed.names, wants.width, wants.kinds, wants.dress, wants.matrix))


def _changed(original: Original, **changes: Any) -> Original:
    from dataclasses import replace

    return replace(original, **changes)


def _description(folder: Path, name: str) -> dict[str, Any]:
    import yaml

    place = folder / DESCRIPTION
    try:
        if place.stat().st_size > _GREATEST_DESCRIPTION:
            raise _broken(name, f"has a file {DESCRIPTION} that is too large")
        found = yaml.safe_load(place.read_bytes())
    except OSError as error:
        raise _broken(name, f"has no file {DESCRIPTION}") from error
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise _broken(name, f"has a file {DESCRIPTION} that is no YAML") from error
    if not isinstance(found, dict):
        raise _broken(name, f"has a file {DESCRIPTION} that describes nothing")
    return found


def _signature(description: Mapping[str, Any], name: str) -> Wants | None:
    """What the signature says of the columns; `None` where there is none."""
    import json

    signature = description.get("signature")
    if not isinstance(signature, dict) or not signature.get("inputs"):
        return None
    try:
        inputs = json.loads(signature["inputs"])
        if inputs and inputs[0]["type"] == "tensor":
            return _of_tensors(inputs)
        names = tuple(str(one["name"]) for one in inputs)
        types = {str(one["name"]): _KINDS[str(one["type"])] for one in inputs}
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise _broken(name, "has a signature that is none of plain columns") from error
    kinds = {column: kind for column, (kind, _) in types.items()}
    return Wants(names, len(names), kinds, {column: word for column, (_, word) in types.items()})


def _of_tensors(inputs: list[dict[str, Any]]) -> Wants | None:
    if len(inputs) != 1 or inputs[0].get("name"):
        return None
    spec = inputs[0]["tensor-spec"]
    shape = spec["shape"]
    if len(shape) != 2:
        raise ValueError(shape)
    return Wants(width=shape[1] if shape[1] > 0 else None, matrix=str(spec["dtype"]))


def _file(folder: Path, named: object, name: str) -> bytes:
    """A file that the description names, which lies in the model's own folder."""
    from mainspring.release.files import read_plain

    if not isinstance(named, str):
        raise _broken(name, "does not say in which file it is")
    try:
        return read_plain(folder, named, release=name)
    except MainspringError as error:
        raise _broken(name, f"names the file {named[:80]!r}, which is no plain file of its folder") from error


def _broken(name: str, problem: str) -> ReleaseError:
    return ReleaseError(f"{name} {problem}", cure="name the folder of an MLflow model, or log it again")
