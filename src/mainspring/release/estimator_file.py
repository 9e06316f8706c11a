"""The original estimator as a file, in the safest format that holds it.

skops holds no code: it names types, and only those that were listed when sealing are made again. What it cannot
hold (functions and classes of the user's) goes into a pickle, which is read only from a release whose signature
was verified.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mainspring.errors import ReleaseError

SKOPS = "model.skops"
SKOPS_TYPES = "model.skops.types.json"
PICKLE = "model.pkl"


def write_estimator(estimator: Any, answers: Callable[[Any], NDArray[np.float64]]) -> dict[str, bytes]:
    """The files that hold the estimator: `model.skops` and its types, or else `model.pkl`.

    Args:
        estimator: fitted.
        answers: an estimator's outputs on rows that cover its edge cases. The one that is read back must answer
            bit for bit as the one that was written.

    Returns:
        Contents by file name.

    Raises:
        ReleaseError: neither format holds it.

    Examples:
        >>> from sklearn.dummy import DummyRegressor
        >>> fitted = DummyRegressor().fit([[0.0], [0.0]], [1.0, 2.0])
        >>> files = write_estimator(fitted, lambda one: one.predict([[0.0]]))
        >>> sorted(files), read_estimator(files).predict([[0.0]]).tolist()
        (['model.skops', 'model.skops.types.json'], [1.5])
    """
    expected = answers(estimator)
    for write in (_as_skops, _as_pickle):
        try:
            files = write(estimator)
            found = answers(read_estimator(files)) if files else None
        # The libraries raise whatever the user's objects raise; the other format, or the error below, follows.
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            continue
        if files and found is not None and np.array_equal(found, expected, equal_nan=True):
            return files
        reason = "it answers differently once it is read back"
    raise ReleaseError(
        f"the estimator {type(estimator).__name__} cannot be kept in a file: {reason}",
        cure="keep open files, locks and other live things out of the estimator",
    )


def read_estimator(files: Mapping[str, bytes]) -> Any:
    """The estimator from the bytes of its files. They must come from a verified release: a pickle runs code.

    Raises:
        ReleaseError: no file of an estimator is among them, or it cannot be read here.
    """
    from mainspring.release.adoption.adopted import ADOPTED, read_adopted

    if ADOPTED in files:
        return read_adopted(files)
    try:
        if SKOPS in files:
            import skops.io

            types = msgspec.json.decode(files[SKOPS_TYPES], type=list[str])
            return skops.io.loads(files[SKOPS], trusted=types)
        if PICKLE in files:
            import cloudpickle

            return cloudpickle.loads(files[PICKLE])
    except Exception as error:
        raise ReleaseError(
            f"the original estimator cannot be read here: {type(error).__name__}: {str(error)[:200]}",
            cure="install what requirements.lock of the release names",
        ) from error
    raise ReleaseError("the release holds no original estimator", cure="seal the model anew with `mainspring run`")


def _as_skops(estimator: Any) -> dict[str, bytes] | None:
    import skops.io

    content = skops.io.dumps(estimator)
    types = sorted(skops.io.get_untrusted_types(data=content))
    if not all(_is_installed(name) for name in types):
        return None
    return {SKOPS: content, SKOPS_TYPES: msgspec.json.encode(types)}


def _as_pickle(estimator: Any) -> dict[str, bytes]:
    import cloudpickle

    return {PICKLE: cloudpickle.dumps(estimator)}


def _is_installed(type_name: str) -> bool:
    """Whether another process can import the type: it is of an installed package and not of the user's project."""
    import cloudpickle

    root = type_name.partition(".")[0]
    if root == "__main__" or root in {
        name.partition(".")[0] for name in cloudpickle.list_registry_pickle_by_value()
    }:
        return False
    try:
        return importlib.util.find_spec(root) is not None
    except ValueError:  # a module made by hand, without a spec
        return False
