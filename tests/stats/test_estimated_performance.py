import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.task import METRICS, Task
from mainspring.stats.estimated_performance import expected_metric
from mainspring.stats.isotonic import fit_isotonic
from mainspring.stats.ranking import rank_auc
from mainspring.training.metrics import measure

calm = settings(deadline=None, max_examples=60)
BINARY = sorted(name for name, metric in METRICS.items() if Task.BINARY in metric.tasks)
MULTICLASS = sorted(name for name, metric in METRICS.items() if Task.MULTICLASS in metric.tasks)
ALERT_BAND = 0.8934, 0.9134


@pytest.fixture(scope="module")
def employment(real_data):
    folder = real_data / "nannyml"
    reference = pl.read_parquet(folder / "employment_MA_reference.pq")
    analysis = pl.read_parquet(folder / "employment_MA_analysis.pq")
    truth = pl.read_parquet(folder / "employment_MA_analysis_target.pq")
    assert analysis["id"].equals(truth["id"])
    published = json.loads((folder / "expected_quickstart_employment.json").read_text())
    score = "predicted_probability"
    calibrated = fit_isotonic(reference[score].to_numpy(), reference["employed"].to_numpy())
    scores = analysis[score].to_numpy()
    chunks = [slice(start, start + 5_000) for start in range(0, analysis.height, 5_000)]
    estimated = [expected_metric("roc_auc", calibrated(scores[chunk])) for chunk in chunks]
    employed = truth["employed"].to_numpy() == 1
    realised = [rank_auc(scores[chunk], employed[chunk]) for chunk in chunks]
    return published, estimated, realised


def test_all_42_estimates_of_nannyml_to_four_decimals(employment):
    published, estimated, _ = employment
    assert [round(value, 4) for value, _ in estimated] == published["estimated_roc_auc_analysis"]


def test_its_realised_figures_and_both_sets_of_alerts(employment):
    published, estimated, realised = employment
    assert realised == pytest.approx(published["realized_roc_auc_analysis"], abs=1e-4)
    low, high = ALERT_BAND
    assert [at for at, (value, _) in enumerate(estimated) if not low <= value <= high] == [27, 28]
    assert [at for at, value in enumerate(realised) if not low <= value <= high] == [19, 27, 28]


def test_where_the_concept_held_the_realised_figure_lies_within_the_sampling_error(employment):
    _, estimated, realised = employment
    beyond = [
        at
        for at, ((value, error), truth) in enumerate(zip(estimated, realised, strict=True))
        if abs(value - truth) > 2.6 * error
    ]
    assert set(beyond) <= {19, 27, 28}


@pytest.mark.parametrize(("month", "expected"), [("2022-03", 0.829077), ("2022-04", 0.910661)])
def test_the_estimates_of_california(real_data, month, expected):
    folder = real_data / "nannyml"
    reference = pl.read_csv(folder / "california_housing_reference.csv")
    calibrated = fit_isotonic(reference["y_pred_proba"].to_numpy(), reference["clf_target"].to_numpy())
    analysis = pl.read_csv(folder / "california_housing_analysis.csv")
    chunk = analysis.filter(pl.col("timestamp").str.starts_with(month))
    value, error = expected_metric("roc_auc", calibrated(chunk["y_pred_proba"].to_numpy()))
    assert value == pytest.approx(expected, abs=1e-6)
    assert 0.005 < error < 0.05


@st.composite
def certain(draw, classes):
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(classes * 2, 60))
    y = np.concatenate([np.arange(classes), random.integers(0, classes, size=n - classes)])
    scores = random.dirichlet(np.ones(classes), size=n).round(draw(st.sampled_from([1, 6])))
    return scores / scores.sum(axis=1, keepdims=True), y


@calm
@given(certain(2), st.sampled_from(BINARY))
def test_of_rows_that_are_certain_it_is_the_metric_itself(rows, name):
    scores, y = rows
    value, _ = expected_metric(name, (y == 1).astype(float), scores=scores[:, 1])
    assert value == pytest.approx(measure(name, scores, y, task=Task.BINARY, positive=1), abs=1e-9)


@calm
@given(certain(4), st.sampled_from(MULTICLASS))
def test_of_many_classes_too(rows, name):
    scores, y = rows
    value, _ = expected_metric(name, np.eye(4)[y], scores=scores)
    assert value == pytest.approx(measure(name, scores, y, task=Task.MULTICLASS), abs=1e-9)


def drawn(random, n, k):
    """Calibrated probabilities, distorted scores and a truth drawn by the probabilities."""
    truth = random.dirichlet(np.full(k, 0.7), size=n)
    scores = truth**1.5 / (truth**1.5).sum(axis=1, keepdims=True)
    y = (truth.cumsum(axis=1) > random.random((n, 1))).argmax(axis=1)
    return truth, scores, y


@pytest.mark.parametrize(
    ("task", "name"),
    [(Task.BINARY, name) for name in BINARY] + [(Task.MULTICLASS, name) for name in MULTICLASS],
)
def test_value_and_error_are_those_of_metrics_on_rows_drawn_again_and_again(task, name):
    random = np.random.default_rng(4)
    k, n, times = (2 if task is Task.BINARY else 3), 1_500, 300
    estimates, errors, realised = [], [], []
    for _ in range(times):
        truth, scores, y = drawn(random, n, k)
        value, error = expected_metric(name, truth, scores=scores)
        estimates.append(value)
        errors.append(error)
        realised.append(measure(name, scores, y, task=task, positive=1 if k == 2 else None))
    spread = np.std(realised)
    # The calibration error's absolute values make of noise an error: of 1,500 rows a tenth as much again
    bias = 0.01 if name == "calibration_error" else 4 * spread / np.sqrt(times)
    assert np.mean(estimates) == pytest.approx(np.mean(realised), abs=bias)
    assert np.mean(errors) == pytest.approx(spread, rel=0.2)


def test_the_answer_that_was_given_counts_and_not_the_one_that_the_calibration_would_give():
    calibrated = np.array([0.4, 0.4, 0.9])
    assert expected_metric("accuracy", calibrated)[0] == pytest.approx((0.6 + 0.6 + 0.9) / 3)
    assert expected_metric("accuracy", calibrated, scores=np.array([0.6, 0.6, 0.9]))[0] == pytest.approx(
        (0.4 + 0.4 + 0.9) / 3
    )
    assert expected_metric("accuracy", calibrated, threshold=0.3)[0] == pytest.approx((0.4 + 0.4 + 0.9) / 3)
    assert expected_metric("accuracy", calibrated, predicted=np.array([1, 0, 0]))[0] == pytest.approx(
        (0.4 + 0.6 + 0.1) / 3
    )


@pytest.mark.parametrize("name", BINARY)
def test_a_column_or_two_make_no_difference(name):
    share = np.random.default_rng(0).random(200)
    assert expected_metric(name, share) == pytest.approx(
        expected_metric(name, np.column_stack([1 - share, share]))
    )


@pytest.mark.parametrize("name", MULTICLASS)
def test_rows_that_are_no_numbers_are_left_out(name):
    share = np.array([0.2, 0.7, 0.9, 0.4])
    assert expected_metric(name, np.append(share, np.nan)) == pytest.approx(expected_metric(name, share))
    found = expected_metric(name, np.array([np.nan]))
    assert np.isnan(found).all()
    assert np.isnan(expected_metric(name, np.empty((0, 3)))).all()


def test_what_is_undefined_is_not_invented():
    assert np.isnan(expected_metric("roc_auc", np.ones(5))).all()
    assert np.isnan(expected_metric("average_precision", np.zeros(5))).all()
    assert np.isnan(expected_metric("roc_auc", np.eye(3)[[0, 0]])).all()
    assert np.isfinite(expected_metric("roc_auc", np.eye(3)[[0, 1]])).all()  # of the two classes that are there
    with pytest.raises(ValueError, match="no estimate of 'rmse'"):
        expected_metric("rmse", np.array([0.5]))
    with pytest.raises(ValueError, match="no estimate of 'average_precision'"):
        expected_metric("average_precision", np.full((2, 3), 1 / 3))
    with pytest.raises(ValueError, match="scores"):
        expected_metric("brier", np.array([0.5]), scores=np.array([0.5, 0.5]))
