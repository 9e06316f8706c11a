"""The real data sets: the baseline candidates must compile, and agree on every holdout row."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.compile.compiler import compile_estimator
from mainspring.release.original import outputs_of
from mainspring.release.parity import compare

DATA_SETS = {
    "adult": ("adult/adult_train.csv", "income"),
    "telco": ("telco_churn", "Churn"),
    "housing": ("california_housing", "median_house_value"),
}


def read(place: Path) -> pl.DataFrame:
    """A CSV with blanks stripped, "?" and blanks missing, and whole columns of numbers as numbers."""
    if place.is_dir():
        place = next(place.glob("*.csv"))
    frame = pl.read_csv(place, infer_schema=False).with_columns(pl.all().str.strip_chars())
    frame = frame.with_columns(pl.when(pl.all().is_in(["", "?"])).then(None).otherwise(pl.all()).name.keep())
    for dtype in (pl.Float64, pl.Int64):
        for name in frame.columns:
            known = frame[name].drop_nulls()
            if known.dtype == pl.String or dtype == pl.Int64:
                cast = known.cast(pl.String).cast(dtype, strict=False)
                if not cast.null_count() and len(known):
                    frame = frame.with_columns(pl.col(name).cast(pl.String).cast(dtype))
    return frame


def fields_of(frame: pl.DataFrame) -> list[InputField]:
    kinds = {pl.Float64: Kind.NUMBER, pl.Int64: Kind.INTEGER, pl.String: Kind.CATEGORY}
    return [
        InputField(name, kinds[type(dtype)], required=not frame[name].null_count())
        for name, dtype in frame.schema.items()
    ]


def candidates(fields: list[InputField], task: Task) -> dict[str, Any]:
    texts = [field.name for field in fields if field.kind is Kind.CATEGORY]
    numbers = [field.name for field in fields if field.kind is not Kind.CATEGORY]

    def ordinal() -> Any:
        encoder = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=np.nan, min_frequency=10
        )
        return make_column_transformer((encoder, texts), remainder="passthrough")

    def filled() -> Any:
        words = make_pipeline(
            SimpleImputer(strategy="most_frequent"),
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10),
        )
        plain = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
        return make_column_transformer((words, texts), (plain, numbers))

    if task is Task.REGRESSION:
        return {
            "hgb": make_pipeline(ordinal(), HistGradientBoostingRegressor(max_iter=60, random_state=0)),
            "hgb categories": HistGradientBoostingRegressor(
                categorical_features=texts, max_iter=40, random_state=0
            ),
            "lgbm": make_pipeline(ordinal(), LGBMRegressor(n_estimators=60, n_jobs=1, verbose=-1)),
            "ridge": make_pipeline(filled(), Ridge()),
            "log ridge": TransformedTargetRegressor(
                make_pipeline(filled(), Ridge()), func=np.log1p, inverse_func=np.expm1
            ),
            "forest": make_pipeline(
                filled(), RandomForestRegressor(5, min_samples_leaf=5, max_features=0.5, random_state=0)
            ),
        }
    return {
        "hgb": make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=60, random_state=0)),
        "hgb categories": HistGradientBoostingClassifier(categorical_features=texts, max_iter=40, random_state=0),
        "lgbm": make_pipeline(ordinal(), LGBMClassifier(n_estimators=60, n_jobs=1, verbose=-1)),
        "logistic": make_pipeline(filled(), LogisticRegression(max_iter=200)),
        "forest": make_pipeline(filled(), RandomForestClassifier(5, min_samples_leaf=5, random_state=0)),
    }


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_baselines_compile_and_agree(name: str, real_data: Path) -> None:
    place, target = DATA_SETS[name]
    frame = read(real_data / place).drop_nulls(target)
    frame = frame.gather_every(1 + frame.height // 15_000)
    frame = frame.drop([column for column in frame.columns if column == "customerID"])
    task = Task.REGRESSION if frame[target].dtype.is_numeric() else Task.BINARY
    classes = () if task is Task.REGRESSION else tuple(sorted(frame[target].unique()))
    y = (
        frame[target].cast(pl.Float64).to_numpy()
        if task is Task.REGRESSION
        else (frame[target] == classes[1]).cast(pl.Int64).to_numpy()
    )
    features = frame.drop(target)
    fields = fields_of(features)
    fresh = np.random.default_rng(0).random(frame.height) < 0.2
    X = estimator_frame(features.filter(~pl.Series(fresh)), fields)
    for kind, model in candidates(fields, task).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y[~fresh])
            compiled = compile_estimator(model, fields, OutputSpec(task, classes))

            def original(rows: Any, model: Any = model) -> Any:
                return outputs_of(model, rows, task, classes)

            parity = compare(original, compiled, features.filter(pl.Series(fresh)))
        assert parity.holds, (kind, parity)
        assert parity.rows > 5_000
        assert parity.max_difference < 1e-12, (kind, parity)
