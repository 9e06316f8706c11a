import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mainspring.training.frozen import fitted_decisions
from mainspring.training.seeding import derive_seed, seed_everything
from mainspring.training.settling import settle


def test_what_is_open_is_set_and_what_is_given_stays() -> None:
    estimator = make_pipeline(StandardScaler(), RandomForestClassifier(n_jobs=-1, random_state=3))
    assert settle(estimator, seed=9, threads=2) == {"randomforestclassifier__n_jobs": 2}
    assert estimator[-1].random_state == 3


def test_lightgbm_is_made_repeatable_wherever_it_stands() -> None:
    inner = LGBMRegressor()
    settled = settle(TransformedTargetRegressor(inner), seed=5, threads=1)
    assert settled == {
        "regressor__n_jobs": 1,
        "regressor__random_state": 5,
        "regressor__deterministic": True,
        "regressor__force_row_wise": True,
        "regressor__verbose": -1,
    }
    assert inner.get_params()["deterministic"] is True


def test_a_choice_of_columns_is_not_overruled() -> None:
    settled = settle(LGBMClassifier(force_col_wise=True, random_state=1, n_jobs=3, verbose=1), seed=5, threads=1)
    assert settled == {"deterministic": True}


def test_worker_processes_are_not_asked_for() -> None:
    assert settle(LogisticRegression(random_state=1), seed=0, threads=2) == {}


def test_an_object_of_ones_own_is_left_alone() -> None:
    class Own:
        def fit(self, X: object, y: object) -> None: ...
        def predict(self, X: object) -> None: ...

    assert settle(Own(), seed=0, threads=1) == {}


def test_seeding_repeats() -> None:
    import random

    seen = []
    for _ in range(2):
        seeded = seed_everything(7)
        seen.append((random.random(), float(np.random.random())))
    assert seen[0] == seen[1]
    assert seeded["python"] == seeded["numpy"] == 7


def test_derived_seeds_differ_and_fit_every_library() -> None:
    seeds = {derive_seed(model, "trial", number) for model in range(5) for number in range(100)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("stop", [True, False])
def test_the_iterations_of_a_step_are_found(stop: bool) -> None:
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=300)})
    y = (X["x"] > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=30, early_stopping=stop, random_state=0)
    found = fitted_decisions(make_pipeline(StandardScaler(), model).fit(X, y))
    assert found == {"histgradientboostingclassifier__n_iter_": model.n_iter_}
