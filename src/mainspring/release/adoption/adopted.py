"""The adopted model as a release keeps it: its own files, and `adopted.json`, which says how it is asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from mainspring.errors import MainspringError, ReleaseError
from mainspring.release.adoption.dress import dressed
from mainspring.release.adoption.reading import Answer, Reading, answer_of, outputs_of_answer

if TYPE_CHECKING:
    import pandas as pd

ADOPTED = "adopted.json"
ORIGINAL_ONNX = "original.onnx"
MLFLOW = "mlflow/"  # before the names of the files of an MLflow model's folder

Form = Literal["estimator", "function", "onnx"]


class Asking(msgspec.Struct, frozen=True):
    """How the model is asked.

    Attributes:
        form: an estimator (`predict_proba` or `predict`), a function of a frame (`predict`), an ONNX graph.
        dress: column → what becomes of it, see `dress`; in the order of the model's own columns.
        matrix: the type of the one array that the model takes instead of a frame.
        reading: what it answers.
        labels: the classes; empty for a regression.
        positive: the number of the positive class of a binary model.
        output: of an ONNX graph, the output that is read.
    """

    form: Form
    dress: dict[str, str]
    matrix: str | None
    reading: Reading
    labels: tuple[str, ...]
    positive: int | None = None
    output: str | None = None


class AdoptedModel:
    """Answers the estimator's frame as an estimator that was fitted on class numbers would.

    Args:
        model: an estimator, a function's holder, or an `OnnxSession`.
    """

    def __init__(self, model: Any, asking: Asking) -> None:
        self._asking = asking
        self._ask = asker(model, asking)
        self.classes_ = list(range(len(asking.labels)))
        if asking.labels:
            self.predict_proba = self.outputs

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """The values of a regression [n], or the class numbers."""
        outputs = self.outputs(X)
        return outputs[:, 0] if not self._asking.labels else outputs.argmax(axis=1).astype(np.float64)

    def outputs(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """[n, k] by class, or [n, 1] of a regression."""
        asking = self._asking
        return outputs_of_answer(self._ask(X), asking.reading, asking.labels, asking.positive)


def asker(model: Any, asking: Asking) -> Callable[[pd.DataFrame], Answer]:
    """The function from the estimator's frame to the model's answer."""
    method: Callable[[Any], Any]
    if asking.form == "onnx":
        method = partial(model.ask, output=asking.output)
    elif asking.form == "estimator" and asking.reading is Reading.PROBABILITIES:
        method = getattr(model, "predict_proba", model.predict)  # some give probabilities by predict
    else:
        method = model.predict

    def ask(X: pd.DataFrame) -> Answer:
        given: Any = dressed(X, asking.dress)
        if asking.matrix is not None:
            with np.errstate(over="ignore"):
                given = given.to_numpy().astype(asking.matrix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a foreign model's warnings are its maker's to heed
            return answer_of(method(given), len(X))

    return ask


def read_adopted(files: Mapping[str, bytes]) -> AdoptedModel:
    """The model from the bytes of its files, which must come from a verified release.

    Raises:
        ReleaseError: it cannot be read here.
    """
    from mainspring.release.estimator_file import read_estimator

    asking = msgspec.json.decode(files[ADOPTED], type=Asking)
    own = {name: content for name, content in files.items() if name != ADOPTED}
    if asking.form == "onnx":
        from mainspring.release.adoption.onnx_session import OnnxSession

        return AdoptedModel(OnnxSession(own[ORIGINAL_ONNX]), asking)
    if any(name.startswith(MLFLOW) for name in own):
        from mainspring.release.adoption.mlflow_folder import unpacked

        with named_errors("the MLflow model"):
            return AdoptedModel(unpacked(own, raw=asking.form == "estimator"), asking)
    return AdoptedModel(read_estimator(own), asking)


@contextmanager
def named_errors(
    what: str, cure: str = "install what the model needs: its requirements, its modules"
) -> Iterator[None]:
    """Turn whatever a foreign library raises while it loads a model into one error that names the model."""
    try:
        yield
    except MainspringError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise ReleaseError(
            f"{what} cannot be read here: {type(error).__name__}: {reason[:300]}", cure=cure
        ) from error
