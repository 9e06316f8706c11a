import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mainspring.stats.multiple import alpha_per_look, benjamini_hochberg, holm, is_drift

calm = settings(deadline=None, max_examples=80)
p_values = st.lists(st.none() | st.floats(0, 1), max_size=30)


def known(values):
    return np.array([p for p in values if p is not None])


@calm
@given(p_values)
def test_a_correction_leaves_what_is_unknown_keeps_the_order_and_never_makes_smaller(given_values):
    for correct in (holm, benjamini_hochberg):
        found = correct(given_values)
        assert [p is None for p in found] == [p is None for p in given_values]
        before, after = known(given_values), known(found)
        assert (after >= before).all()
        assert (after <= 1).all()
        assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()


@calm
@given(p_values)
def test_benjamini_hochberg_is_scipys_and_holm_lies_between_it_and_bonferroni(given_values):
    before = known(given_values)
    if before.size:
        found = known(benjamini_hochberg(given_values))
        assert found == pytest.approx(stats.false_discovery_control(before), abs=1e-12)
        strict = known(holm(given_values))
        assert (found <= strict + 1e-12).all()
        assert (strict <= np.minimum(before * before.size, 1) + 1e-12).all()


def test_holm_holds_the_chance_of_any_false_finding():
    random = np.random.default_rng(0)
    real = np.full(10, 1e-9)  # beside ten true findings
    false = sum(min(holm([*real, *random.random(40)])[10:]) < 0.05 for _ in range(4_000))
    assert false <= 200 + 4 * 14  # 5 % and four standard deviations


def test_the_bar_of_a_look_is_the_years_share_and_must_be_positive():
    assert alpha_per_look(0.5, 10, 5) == 0.01
    assert alpha_per_look(50, 10) == 1.0
    for wrong in ((0, 10, 1), (1, 0, 1), (1, 10, 0)):
        with pytest.raises(ValueError, match="positive"):
            alpha_per_look(*wrong)


@pytest.mark.parametrize(
    ("effect", "p", "expected"),
    [
        (0.06, 1e-7, True),
        (0.05, 1e-7, False),  # as great as does not matter
        (0.06, 1e-6, False),  # the bar itself
        (None, 1e-7, False),
        (0.06, None, False),
    ],
)
def test_a_drift_is_there_and_matters(effect, p, expected):
    assert is_drift(effect, 0.05, p, 1e-6) is expected
