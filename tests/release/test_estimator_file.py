"""An estimator comes back from its file with the same answers, and with no more trust than it needs."""

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import msgspec
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mainspring.errors import ReleaseError
from mainspring.release.estimator_file import PICKLE, SKOPS, SKOPS_TYPES, read_estimator, write_estimator


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    device = random.choice(["phone", "tablet", None], 300).astype(object)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, 300),
            "device": pd.Series(np.where(device == None, np.nan, device), dtype=object),  # noqa: E711
        }
    )


def fitted(rows: pd.DataFrame, last: Any) -> Any:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["device"]), (StandardScaler(), ["age"])
    )
    return make_pipeline(encoder, last).fit(rows, (rows.age > 40).astype(int))


def lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbose=-1)


@pytest.mark.parametrize(
    "make",
    [LogisticRegression, lambda: HistGradientBoostingClassifier(max_iter=5), lightgbm],
    ids=["linear", "hist", "lightgbm"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_common_estimators_need_no_pickle(rows: pd.DataFrame, make: Any) -> None:
    estimator = fitted(rows, make())
    files = write_estimator(estimator, lambda one: one.predict_proba(rows))
    assert sorted(files) == [SKOPS, SKOPS_TYPES]
    assert np.array_equal(read_estimator(files).predict_proba(rows), estimator.predict_proba(rows))


def test_only_the_listed_types_are_made_again(rows: pd.DataFrame) -> None:
    estimator = fitted(rows, HistGradientBoostingClassifier(max_iter=5))
    files = write_estimator(estimator, lambda one: one.predict_proba(rows))
    assert msgspec.json.decode(files[SKOPS_TYPES]) == [
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
    ]
    with pytest.raises(ReleaseError, match="cannot be read here: UntrustedTypesFoundException"):
        read_estimator({**files, SKOPS_TYPES: b"[]"})


def test_code_of_the_users_travels_with_the_pickle(rows: pd.DataFrame, tmp_path: Path) -> None:
    module = types.ModuleType("_users_model")
    exec("def halve(X):\n    return X[['age']] / TWO\n\nTWO = 2", vars(module))
    sys.modules[module.__name__] = module
    cloudpickle.register_pickle_by_value(module)
    try:
        estimator = make_pipeline(FunctionTransformer(module.halve), LogisticRegression())
        estimator.fit(rows, rows.age > 40)
        files = write_estimator(estimator, lambda one: one.predict_proba(rows))
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        del sys.modules[module.__name__]
    assert sorted(files) == [PICKLE]
    (tmp_path / PICKLE).write_bytes(files[PICKLE])
    script = (
        "import sys, pandas as pd; from pathlib import Path\n"
        "from mainspring.release.estimator_file import read_estimator\n"
        "one = read_estimator({'model.pkl': Path(sys.argv[1]).read_bytes()})\n"
        "print(one.predict_proba(pd.DataFrame({'age': [41.5], 'device': ['phone']}))[0, 1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / PICKLE)], capture_output=True, text=True, check=True
    )
    expected = estimator.predict_proba(pd.DataFrame({"age": [41.5], "device": ["phone"]}))[0, 1]
    assert float(done.stdout) == expected


class Forgetful(RegressorMixin, BaseEstimator):
    """Loses its memory in a file."""

    def fit(self, X: Any, y: Any) -> "Forgetful":
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        return np.full(len(X), self.mean_)

    def __getstate__(self) -> dict[str, Any]:
        return {"mean_": 0.0}


class WithAnOpenFile(Forgetful):
    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("cannot pickle an open file")


@pytest.mark.parametrize(
    ("kind", "reason"), [(Forgetful, "it answers differently once"), (WithAnOpenFile, "TypeError: cannot pickle")]
)
def test_an_estimator_that_no_file_holds(rows: pd.DataFrame, kind: type[Forgetful], reason: str) -> None:
    estimator = kind().fit(rows, rows.age)
    with pytest.raises(ReleaseError, match=f"{kind.__name__} cannot be kept in a file: {reason}"):
        write_estimator(estimator, lambda one: one.predict(rows))


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"model.onnx": b""},
        {SKOPS: b"no zip", SKOPS_TYPES: b"[]"},
        {SKOPS: b"no zip"},
        {SKOPS: b"", SKOPS_TYPES: b"{}"},
        {PICKLE: b""},
        {PICKLE: b"cnosuchmodule\nthing\n."},
    ],
)
def test_bytes_that_are_no_estimator(files: dict[str, bytes]) -> None:
    with pytest.raises(ReleaseError):
        read_estimator(files)
