import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.stats.isotonic import fit_isotonic

calm = settings(deadline=None, max_examples=80)


@st.composite
def rows(draw):
    n = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    scores = random.integers(0, draw(st.sampled_from([2, 10, 1000])), size=n) / 7
    truth = random.normal(size=n) if draw(st.booleans()) else random.integers(0, 2, size=n).astype(float)
    return scores, truth, random.integers(1, 5, size=n).astype(float)


@calm
@given(rows())
def test_it_is_scikit_learns(given_rows):
    isotonic = pytest.importorskip("sklearn.isotonic", reason="needs scikit-learn")
    scores, truth, weights = given_rows
    peer = isotonic.IsotonicRegression(out_of_bounds="clip").fit(scores, truth, weights)
    asked = np.concatenate([scores, np.linspace(scores.min() - 1, scores.max() + 1, 50)])
    assert fit_isotonic(scores, truth, weights)(asked) == pytest.approx(peer.predict(asked), abs=1e-9)


@calm
@given(rows())
def test_it_never_falls_keeps_the_mean_and_a_weight_is_so_many_rows(given_rows):
    scores, truth, weights = given_rows
    fit = fit_isotonic(scores, truth, weights)
    assert (np.diff(fit.levels) >= 0).all()
    assert weights @ fit(scores) == pytest.approx(weights @ truth, abs=1e-9)
    times = weights.astype(int)
    again = fit_isotonic(np.repeat(scores, times), np.repeat(truth, times))
    assert again(scores) == pytest.approx(fit(scores), abs=1e-9)


@calm
@given(rows())
def test_fitted_again_to_its_own_values_it_is_the_same(given_rows):
    scores, truth, _ = given_rows
    fitted = fit_isotonic(scores, truth)(scores)
    assert fit_isotonic(scores, fitted)(scores) == pytest.approx(fitted, abs=1e-9)


def test_booleans_and_one_row_will_do_and_no_row_will_not():
    assert fit_isotonic(np.array([0.3]), np.array([True]))(np.array([0.0, 1.0])).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="at least one row"):
        fit_isotonic(np.array([]), np.array([]))


def test_a_distorted_score_is_calibrated():
    random = np.random.default_rng(0)
    share = random.random(50_000)
    truth = random.random(50_000) < share
    asked = np.linspace(0.05, 0.95, 19)
    assert fit_isotonic(share**3, truth)(asked**3) == pytest.approx(asked, abs=0.04)
