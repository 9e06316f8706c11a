"""The winner's fit, and its refit bit for bit."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import msgspec
import numpy as np
import pytest

from mainspring.data.estimator_outputs import outputs_of
from mainspring.domain.release import TrainingRecord
from mainspring.errors import CandidateError, ModelFileError, NotReproduced
from mainspring.training.final_fit import outputs_digest
from mainspring.training.fitting import FittedInfo, fit_winner
from mainspring.training.refit import differences, refit
from mainspring.training.tuning import TuningJob, TuningResult, tune

TEXT = """
from lightgbm import LGBMClassifier
from sklearn.preprocessing import OneHotEncoder

class Doubler:
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X * 2
    def fit_transform(self, X, y=None):
        return X * 2

@model.candidate
def histogram(trial):
    rate = trial.suggest_float("rate", 0.05, 0.5, log=True)
    return make_pipeline(numbers(), Doubler(), HistGradientBoostingClassifier(
        learning_rate=rate, early_stopping=True, max_iter=60))

@model.candidate
def light(trial):
    rate = trial.suggest_float("rate", 0.05, 0.5, log=True)
    return make_pipeline(numbers(), LGBMClassifier(
        learning_rate=rate, n_estimators=20, subsample=0.7, subsample_freq=1, colsample_bytree=0.5))

@model.candidate
def linear(trial):
    C = trial.suggest_float("C", 0.01, 10, log=True)
    return make_pipeline(
        make_column_transformer((OneHotEncoder(), ["device"]), (SimpleImputer(), ["age", "visits"])),
        LogisticRegression(C=C))

@model.candidate
def holder(trial):
    import threading
    from sklearn.dummy import DummyClassifier
    class Holder(DummyClassifier):
        def fit(self, X, y):
            self.lock_ = threading.Lock()
            return super().fit(X, y)
    return make_pipeline(numbers(), Holder())
"""


def record_of(info: FittedInfo, job: TuningJob) -> TrainingRecord:
    return TrainingRecord(
        candidate=info.candidate,
        params=info.params,
        frozen=info.frozen,
        seeds=info.seeds,
        threads=info.threads,
        split=job.data.split,
        trials=2,
        machine=info.machine,
        rows_trained=info.rows,
        rows_holdout=int(job.data.holdout.sum()),
        holdout_digest=info.outputs_digest,
        trial=info.number,
    )


@pytest.fixture(scope="module")
def tuned(clicks: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[TuningJob, TuningResult]:
    one = clicks.job(tmp_path_factory.mktemp("fitting"), TEXT, trials=4, rows=clicks.rows(600), cores=2)
    return one, tune(one)


def test_the_search_leaves_the_winners_fit_behind(tuned: tuple[TuningJob, TuningResult]) -> None:
    one, result = tuned
    began = time.monotonic()
    info = fit_winner(one, result)
    assert time.monotonic() - began < 0.5
    assert (info.number, info.params) == (result.winner.number, result.winner.params)
    assert outputs_digest(np.load(info.outputs)) == info.outputs_digest


def as_winner(result: TuningResult, candidate: str) -> TuningResult:
    return replace(result, winner=next(t for t in result.trials if t.candidate == candidate))


@pytest.mark.parametrize("candidate", ["histogram", "light", "linear"])
def test_a_refit_is_the_same_bit_for_bit(
    tuned: tuple[TuningJob, TuningResult], tmp_path: Path, candidate: str
) -> None:
    one, result = tuned
    one = replace(one, folder=Path(shutil.copytree(one.folder, tmp_path / "run")))
    info = fit_winner(one, as_winner(result, candidate))
    assert msgspec.json.decode(msgspec.json.encode(info), type=FittedInfo) == info
    outputs = np.load(info.outputs)
    assert outputs.shape == (one.data.holdout.sum(), 2)

    # The pickled estimator opens without model.py and answers the same.
    estimator = cloudpickle.loads(Path(info.estimator).read_bytes())
    same = outputs_of(estimator, one.data.holdout_features, one.data.task, one.data.classes)
    assert (same == outputs).all()

    golden = one.data.X.iloc[[5, 3, 3]].reset_index(drop=True)
    again = refit(
        record_of(info, one),
        one.data,
        model=one.model,
        model_file=one.model_file,
        folder=tmp_path / "again",
        frames={"golden": golden},
    )
    assert again.outputs["holdout"].tobytes() == outputs.tobytes()
    assert again.digests["holdout"] == info.outputs_digest
    assert (again.outputs["golden"] == outputs_of(estimator, golden, one.data.task, one.data.classes)).all()
    assert again.frozen == info.frozen
    assert again.differences == ()
    if candidate == "histogram":
        assert 1 <= info.frozen["histgradientboostingclassifier__n_iter_"] <= 60
    elif candidate == "light":
        assert info.settled["lgbmclassifier__deterministic"] is True

    changed = replace(
        record_of(info, one),
        machine=info.machine | {"processor": "another"},
        frozen={"histgradientboostingclassifier__n_iter_": 9999},
    )
    found = differences(changed, again.frozen, again.machine)
    assert [difference.partition(":")[0] for difference in found] == [
        "processor",
        "histgradientboostingclassifier__n_iter_",
    ]
    fewer = replace(one.data, y=one.data.y[:-1], holdout=one.data.holdout[:-1])
    with pytest.raises(NotReproduced, match="rows to train on"):
        refit(
            record_of(info, one),
            fewer,
            model=one.model,
            model_file=one.model_file,
            folder=tmp_path / "fewer",
            frames={},
        )


def test_what_cannot_be_stored_is_named(tuned: tuple[TuningJob, TuningResult], tmp_path: Path) -> None:
    one, result = tuned
    with pytest.raises(CandidateError, match=r"'holder' cannot be stored: TypeError"):
        fit_winner(
            replace(one, folder=Path(shutil.copytree(one.folder, tmp_path / "run"))), as_winner(result, "holder")
        )


def test_a_model_file_changed_midway_is_noticed(tuned: tuple[TuningJob, TuningResult], tmp_path: Path) -> None:
    one, result = tuned
    changed = tmp_path / "model.py"
    changed.write_text(one.model_file.read_text() + "\n# changed\n")
    with pytest.raises(ModelFileError, match="was changed while the run was on"):
        fit_winner(replace(one, model_file=changed), result)
