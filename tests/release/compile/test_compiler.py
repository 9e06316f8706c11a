"""Whatever compiles is equal to the original: estimators × preprocessing × tasks × hostile rows."""

import warnings

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
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
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import NotCompilable
from mainspring.release.compile.compiler import compile_estimator

from .conftest import FIELDS, NUMBERS, TEXTS, Check, output, rows, target

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION


def ordinal(**settings):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **settings)
    return make_column_transformer((encoder, TEXTS), remainder="passthrough")


def filled():
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_column_transformer((texts, TEXTS), (SimpleImputer(strategy="median", add_indicator=True), NUMBERS))


def scaled():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXTS), (numbers, NUMBERS))


ESTIMATORS = {
    "hgb": (lambda: make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=15)), BINARY),
    "hgb multiclass": (lambda: make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=8)), MULTICLASS),
    "hgb regression": (lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(max_iter=15)), REGRESSION),
    "hgb poisson": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(loss="poisson", max_iter=9)),
        REGRESSION,
    ),
    "hgb gamma": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(loss="gamma", max_iter=9)),
        REGRESSION,
    ),
    "hgb quantile": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingRegressor(loss="quantile", quantile=0.3, max_iter=9)),
        REGRESSION,
    ),
    "hgb native categories": (
        lambda: HistGradientBoostingClassifier(categorical_features=TEXTS, max_iter=15, min_samples_leaf=3),
        BINARY,
    ),
    "hgb native categories multiclass": (
        lambda: HistGradientBoostingClassifier(categorical_features=TEXTS, max_iter=9, min_samples_leaf=3),
        MULTICLASS,
    ),
    "hgb categories by place": (
        lambda: make_pipeline(
            ordinal(encoded_missing_value=-2),
            HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=9, min_samples_leaf=3),
        ),
        BINARY,
    ),
    "hgb of nothing learnt": (
        lambda: make_pipeline(ordinal(), HistGradientBoostingClassifier(min_samples_leaf=300, max_iter=3)),
        BINARY,
    ),
    "lgbm": (lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=15, verbose=-1)), BINARY),
    "lgbm multiclass": (lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=8, verbose=-1)), MULTICLASS),
    "lgbm one against rest": (
        lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=8, objective="multiclassova", verbose=-1)),
        MULTICLASS,
    ),
    "lgbm regression": (lambda: make_pipeline(ordinal(), LGBMRegressor(n_estimators=15, verbose=-1)), REGRESSION),
    "lgbm tweedie": (
        lambda: make_pipeline(ordinal(), LGBMRegressor(n_estimators=9, objective="tweedie", verbose=-1)),
        REGRESSION,
    ),
    "lgbm root": (
        lambda: make_pipeline(ordinal(), LGBMRegressor(n_estimators=9, reg_sqrt=True, verbose=-1)),
        REGRESSION,
    ),
    "lgbm zero as missing": (
        lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=15, zero_as_missing=True, verbose=-1)),
        BINARY,
    ),
    "lgbm without missing": (
        lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=15, use_missing=False, verbose=-1)),
        BINARY,
    ),
    "lgbm random forest": (
        lambda: make_pipeline(
            filled(),
            LGBMClassifier(n_estimators=9, boosting_type="rf", subsample=0.7, subsample_freq=1, verbose=-1),
        ),
        BINARY,
    ),
    "lgbm weighted sigmoid": (
        lambda: make_pipeline(ordinal(), LGBMClassifier(n_estimators=9, sigmoid=0.7, verbose=-1)),
        BINARY,
    ),
    "random forest": (
        lambda: make_pipeline(filled(), RandomForestClassifier(8, max_depth=7, random_state=0)),
        BINARY,
    ),
    "random forest with missing": (
        lambda: make_pipeline(ordinal(), RandomForestClassifier(8, max_depth=7, random_state=0)),
        MULTICLASS,
    ),
    "random forest regression": (
        lambda: make_pipeline(filled(), RandomForestRegressor(8, random_state=0)),
        REGRESSION,
    ),
    "extra trees": (lambda: make_pipeline(filled(), ExtraTreesClassifier(8, random_state=0)), MULTICLASS),
    "extra trees regression": (
        lambda: make_pipeline(filled(), ExtraTreesRegressor(8, random_state=0)),
        REGRESSION,
    ),
    "tree": (lambda: make_pipeline(ordinal(), DecisionTreeClassifier(max_depth=6, random_state=0)), BINARY),
    "tree of one leaf": (lambda: make_pipeline(ordinal(), DecisionTreeClassifier(min_samples_leaf=400)), BINARY),
    "tree regression": (lambda: make_pipeline(ordinal(), DecisionTreeRegressor(random_state=0)), REGRESSION),
    "gradient boosting": (lambda: make_pipeline(filled(), GradientBoostingClassifier(n_estimators=12)), BINARY),
    "gradient boosting multiclass": (
        lambda: make_pipeline(filled(), GradientBoostingClassifier(n_estimators=6)),
        MULTICLASS,
    ),
    "gradient boosting exponential": (
        lambda: make_pipeline(filled(), GradientBoostingClassifier(loss="exponential", n_estimators=6)),
        BINARY,
    ),
    "gradient boosting regression": (
        lambda: make_pipeline(filled(), GradientBoostingRegressor(n_estimators=12)),
        REGRESSION,
    ),
    "gradient boosting from zero": (
        lambda: make_pipeline(filled(), GradientBoostingRegressor(n_estimators=6, init="zero")),
        REGRESSION,
    ),
    "logistic": (lambda: make_pipeline(scaled(), LogisticRegression()), BINARY),
    "logistic multiclass": (lambda: make_pipeline(scaled(), LogisticRegression()), MULTICLASS),
    "linear": (lambda: make_pipeline(scaled(), LinearRegression()), REGRESSION),
    "ridge": (lambda: make_pipeline(scaled(), Ridge()), REGRESSION),
    "lasso": (lambda: make_pipeline(scaled(), Lasso(0.01)), REGRESSION),
    "elastic net": (lambda: make_pipeline(scaled(), ElasticNet(0.01)), REGRESSION),
    "huber": (lambda: make_pipeline(scaled(), HuberRegressor()), REGRESSION),
    "poisson": (lambda: make_pipeline(scaled(), PoissonRegressor()), REGRESSION),
    "sgd log": (lambda: make_pipeline(scaled(), SGDClassifier(loss="log_loss", random_state=0)), MULTICLASS),
    "sgd huber": (
        lambda: make_pipeline(scaled(), SGDClassifier(loss="modified_huber", random_state=0)),
        MULTICLASS,
    ),
    "sgd hinge": (lambda: make_pipeline(scaled(), SGDClassifier(random_state=0)), BINARY),
    "ridge classifier": (lambda: make_pipeline(scaled(), RidgeClassifier()), MULTICLASS),
    "linear svc": (lambda: make_pipeline(scaled(), LinearSVC()), BINARY),
    "dummy": (lambda: make_pipeline(ordinal(), DummyClassifier()), MULTICLASS),
    "dummy regression": (lambda: DummyRegressor(strategy="median"), REGRESSION),
    "log target": (
        lambda: TransformedTargetRegressor(make_pipeline(scaled(), Ridge()), func=np.log1p, inverse_func=np.expm1),
        REGRESSION,
    ),
    "log target of trees": (
        lambda: TransformedTargetRegressor(
            make_pipeline(ordinal(), HistGradientBoostingRegressor(max_iter=9)), func=np.log, inverse_func=np.exp
        ),
        REGRESSION,
    ),
    "scaled target": (
        lambda: TransformedTargetRegressor(make_pipeline(scaled(), Ridge()), transformer=StandardScaler()),
        REGRESSION,
    ),
    "calibrated": (
        lambda: CalibratedClassifierCV(make_pipeline(scaled(), LogisticRegression()), cv=2),
        BINARY,
    ),
    "calibrated trees": (
        lambda: CalibratedClassifierCV(
            make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5)), method="isotonic", cv=2
        ),
        MULTICLASS,
    ),
    "calibrated lgbm": (
        lambda: make_pipeline(
            ordinal(), CalibratedClassifierCV(LGBMClassifier(n_estimators=5, verbose=-1), method="isotonic", cv=2)
        ),
        BINARY,
    ),
    "voting": (
        lambda: VotingClassifier(
            [
                ("line", make_pipeline(scaled(), LogisticRegression())),
                ("trees", make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5))),
            ],
            voting="soft",
            weights=[1, 2.5],
        ),
        MULTICLASS,
    ),
    "voting regression": (
        lambda: VotingRegressor(
            [
                ("line", make_pipeline(scaled(), Ridge())),
                ("trees", make_pipeline(ordinal(), LGBMRegressor(n_estimators=5, verbose=-1))),
            ]
        ),
        REGRESSION,
    ),
    "bagging": (
        lambda: make_pipeline(
            ordinal(), BaggingClassifier(DecisionTreeClassifier(max_depth=4), 4, max_features=0.6, random_state=0)
        ),
        BINARY,
    ),
    "stacking": (
        lambda: make_pipeline(
            filled(),
            StackingClassifier(
                [("tree", DecisionTreeClassifier(max_depth=4)), ("forest", RandomForestClassifier(4))],
                LogisticRegression(),
                cv=2,
                passthrough=True,
            ),
        ),
        BINARY,
    ),
    "stacking regression": (
        lambda: make_pipeline(
            filled(),
            StackingRegressor(
                [("tree", DecisionTreeRegressor(max_depth=4)), ("forest", RandomForestRegressor(4))], cv=2
            ),
        ),
        REGRESSION,
    ),
    "target in a pipeline": (
        lambda: make_pipeline(scaled(), TransformedTargetRegressor(Ridge(), func=np.sqrt, inverse_func=np.square)),
        REGRESSION,
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name: str, fit_and_compare: Check) -> None:
    make, task = ESTIMATORS[name]
    compiled, parity = fit_and_compare(make(), task)
    assert parity.holds, parity
    assert parity.rows > 1_500
    assert compiled.model.count(b"Imputer") == compiled.model.count(b"Scaler") == 0


def tree(*steps):
    return make_pipeline(*steps, HistGradientBoostingClassifier(max_iter=9, min_samples_leaf=5))


def line(*steps):
    return make_pipeline(*steps, LogisticRegression(max_iter=200))


def texts(encoder):
    return make_column_transformer((encoder, TEXTS), (SimpleImputer(), NUMBERS))


def numbers(*steps):
    return make_column_transformer((make_pipeline(*steps), NUMBERS))


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


def test_every_split_of_a_numeric_field_is_tried(fit_and_compare: Check) -> None:
    compiled, parity = fit_and_compare(tree(numbers(StandardScaler())), BINARY)
    assert set(compiled.thresholds) == {"amount", "age", "at", "member"}
    assert parity.rows > 2_000
    assert all(
        np.isfinite(values).all() and (np.diff(values) > 0).all() for values in compiled.thresholds.values()
    )


def test_the_vocabulary_is_what_the_encoders_know(fit_and_compare: Check) -> None:
    compiled, _ = fit_and_compare(PREPROCESSING["two encoders of one column"](), BINARY)
    assert compiled.vocabularies["job"] == tuple(
        sorted({"clerk", "pilot", "cook", "baker", "Ärztin", "rare1", "rare2"})
    )
    assert compiled.vocabularies["city"] == ("Bonn", "Köln", "Ulm")
    assert compiled.fields[0].vocabulary == compiled.vocabularies["job"]
    assert compiled.fields[1].vocabulary is None


def test_the_same_estimator_gives_the_same_bytes() -> None:
    frame = rows()
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5))
    model.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    first, second = (compile_estimator(model, FIELDS, output(BINARY)).model for _ in range(2))
    assert first == second


class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return 2 * X


class StandardScalerOfMine(StandardScaler):
    def transform(self, X, copy=None):
        return super().transform(X) + 1


StandardScalerOfMine.__name__ = "StandardScaler"


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (make_pipeline(numbers(SimpleImputer()), Doubled(), LogisticRegression()), "the transformer Doubled"),
        (make_pipeline(numbers(SimpleImputer()), StandardScalerOfMine(), LogisticRegression()), "StandardScaler"),
        (
            line(texts(OneHotEncoder()), StandardScaler()),
            r"handle_unknown='error'\) refuses .*; write OneHotEncoder",
        ),
        (
            make_pipeline(
                make_column_transformer((TfidfVectorizer(), "city"), ("drop", "job")), LogisticRegression()
            ),
            "TfidfVectorizer",
        ),
        (line(numbers(SimpleImputer(), FunctionTransformer(lambda x: x + 1))), "runs Python code"),
        (make_pipeline(scaled(), LGBMClassifier(n_estimators=3, linear_tree=True, verbose=-1)), "linear trees"),
        (make_pipeline(scaled(), DummyClassifier(strategy="stratified")), "at random"),
    ],
)
def test_what_does_not_compile_says_why(estimator: object, words: str) -> None:
    frame = rows().with_columns(city=rows()["city"].fill_null("Ulm"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
        with pytest.raises(NotCompilable, match=words):
            compile_estimator(estimator, FIELDS, output(BINARY))


def test_a_text_that_nobody_encodes_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(make_column_transformer(("passthrough", ["age"])), SimpleImputer(), LogisticRegression())
    model.fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    assert compile_estimator(model, FIELDS, output(BINARY)).vocabularies == {"job": (), "city": ()}
    model.steps[0][1].transformers_ = [("passthrough", "passthrough", ["job"])]
    model.steps[0][1]._transformer_to_input_indices = {"passthrough": [0]}
    with pytest.raises(NotCompilable, match="'job' reaches an estimator as text"):
        compile_estimator(make_pipeline(model.steps[0][1], model.steps[2][1]), FIELDS, output(BINARY))


def test_an_estimator_of_another_task_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(scaled(), Ridge()).fit(estimator_frame(frame, FIELDS), target(frame, BINARY))
    with pytest.raises(NotCompilable, match="does not predict what a binary model needs"):
        compile_estimator(model, FIELDS, output(BINARY))


def test_an_estimator_of_other_columns_does_not_compile() -> None:
    frame = rows()
    model = make_pipeline(scaled(), Ridge()).fit(estimator_frame(frame, FIELDS), target(frame, REGRESSION))
    with pytest.raises(NotCompilable, match="fitted on other columns"):
        compile_estimator(model, FIELDS[::-1], output(REGRESSION))


def test_a_class_never_seen_gets_nothing() -> None:
    frame = rows()
    y = target(frame, BINARY) * 2  # the classes 0 and 2 of three
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=5))
    model.fit(estimator_frame(frame, FIELDS), y)
    from mainspring.release.runtimes.onnx import OnnxRuntime

    compiled = compile_estimator(model, FIELDS, output(MULTICLASS))
    found = OnnxRuntime(compiled.model, compiled.fields).predict_frame(frame)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found[:, [0, 2]], model.predict_proba(estimator_frame(frame, FIELDS)), atol=1e-12)


def test_numbers_alone_without_a_pipeline() -> None:
    fields = [InputField("a", Kind.NUMBER), InputField("b", Kind.NUMBER)]
    frame = rows().select(a="amount", b="age")
    model = HistGradientBoostingRegressor(max_iter=5).fit(
        estimator_frame(frame, fields), target(rows(), REGRESSION)
    )
    assert compile_estimator(model, fields, OutputSpec(REGRESSION)).vocabularies == {}
