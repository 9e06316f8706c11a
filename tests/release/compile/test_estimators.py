"""Whatever estimator compiles is equal to the original, on hostile rows too."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mainspring.domain.task import Task

from .conftest import TEXTS, Check
from .pipelines import filled, ordinal, scaled

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION


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
