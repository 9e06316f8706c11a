"""Whatever preprocessing compiles is equal to the original, on hostile rows too."""

import numpy as np
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from mainspring.domain.task import Task

from .conftest import NUMBERS, TEXTS, Check
from .pipelines import line, numbers, ordinal, scaled, texts, tree

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION


PREPROCESSING = {
    "one-hot, infrequent": lambda: line(
        texts(OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=25)), StandardScaler()
    ),
    "one-hot, most frequent only": lambda: tree(
        texts(OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3, sparse_output=False))
    ),
    "one-hot, first dropped": lambda: line(
        texts(OneHotEncoder(handle_unknown="ignore", drop="first")), StandardScaler()
    ),
    "one-hot, of two dropped": lambda: line(
        texts(OneHotEncoder(handle_unknown="ignore", drop="if_binary")), StandardScaler()
    ),
    "one-hot of numbers": lambda: tree(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["age", "member", "job"])
        )
    ),
    "ordinal, grouped": lambda: tree(
        texts(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=30))
    ),
    "ordinal, missing as a number": lambda: tree(
        texts(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-5, encoded_missing_value=-9))
    ),
    "ordinal of numbers": lambda: tree(
        make_column_transformer(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["age", "city", "member"])
        )
    ),
    "two encoders of one column": lambda: tree(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", max_categories=2), ["job"]),
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["job", "city"]),
            (TargetEncoder(random_state=0), ["job"]),
            sparse_threshold=0,
        )
    ),
    "target": lambda: line(texts(TargetEncoder(random_state=0)), StandardScaler()),
    "constant for missing texts": lambda: tree(
        texts(
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="none", add_indicator=True),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            )
        )
    ),
    "constant for missing numbers": lambda: line(
        numbers(SimpleImputer(strategy="constant", fill_value=-1, add_indicator=True), StandardScaler())
    ),
    "most frequent number": lambda: tree(numbers(SimpleImputer(strategy="most_frequent"))),
    "a number that means missing": lambda: tree(
        numbers(SimpleImputer(strategy="constant", fill_value=30), SimpleImputer(missing_values=30))
    ),
    "indicators only": lambda: line(
        make_column_transformer(
            (MissingIndicator(features="all"), [*NUMBERS, *TEXTS]), (SimpleImputer(), ["age"])
        ),
        StandardScaler(),
    ),
    "robust": lambda: line(numbers(SimpleImputer(), RobustScaler(), MinMaxScaler(clip=True))),
    "scaled trees": lambda: tree(numbers(StandardScaler())),
    "robust trees": lambda: tree(numbers(RobustScaler(quantile_range=(5, 95)), MaxAbsScaler())),
    "min-max trees": lambda: tree(numbers(MinMaxScaler((-1, 1)), MinMaxScaler(clip=True))),
    "scaled forest": lambda: make_pipeline(
        numbers(SimpleImputer(), StandardScaler()), RandomForestClassifier(6, max_depth=6, random_state=0)
    ),
    "logarithm": lambda: line(
        make_column_transformer((make_pipeline(SimpleImputer(), FunctionTransformer(np.log1p)), ["age"])),
        StandardScaler(),
    ),
    "roots and absolute values": lambda: line(
        numbers(SimpleImputer(), FunctionTransformer(np.abs), FunctionTransformer(np.sqrt), StandardScaler())
    ),
    "products": lambda: line(numbers(SimpleImputer(), StandardScaler(), PolynomialFeatures(2), StandardScaler())),
    "products of three": lambda: line(
        numbers(SimpleImputer(), MinMaxScaler(clip=True), PolynomialFeatures(3, interaction_only=True))
    ),
    "bins": lambda: line(numbers(SimpleImputer(), KBinsDiscretizer(4))),
    "bins in order": lambda: tree(numbers(SimpleImputer(), KBinsDiscretizer(4, encode="ordinal"))),
    "selection": lambda: line(scaled(), VarianceThreshold(), SelectKBest(k=4)),
    "by dtype": lambda: tree(
        make_column_transformer(
            (
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                make_column_selector(dtype_include=object),
            ),
            ("passthrough", make_column_selector(dtype_exclude=object)),
        )
    ),
    "pandas between the steps": lambda: tree(
        ordinal().set_output(transform="pandas"),
        make_column_transformer(("passthrough", ["ordinalencoder__job", "remainder__age"]), remainder="drop"),
    ),
    "texts handed on": lambda: tree(
        make_column_transformer(("passthrough", ["job", "age"])),
        make_column_transformer(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [0]), remainder="passthrough"
        ),
    ),
    "union": lambda: line(
        numbers(SimpleImputer(), make_union(StandardScaler(), MinMaxScaler(clip=True))),
    ),
    "union with a dropped part": lambda: line(
        numbers(SimpleImputer(), FeatureUnion([("a", StandardScaler()), ("b", "drop"), ("c", "passthrough")])),
        StandardScaler(),
    ),
    "a step left out": lambda: tree(ordinal(), "passthrough"),
    "naive bayes by skl2onnx": lambda: make_pipeline(scaled(), GaussianNB()),
}


@pytest.mark.parametrize("name", PREPROCESSING)
def test_preprocessing(name: str, fit_and_compare: Check) -> None:
    if "skl2onnx" in name:
        pytest.importorskip("skl2onnx")
    _, parity = fit_and_compare(PREPROCESSING[name](), BINARY)
    assert parity.holds, parity
