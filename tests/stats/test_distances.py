import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mainspring.stats import distances
from mainspring.stats.distances import bin_edges, kolmogorov_smirnov, psi, shares_between, towards, wasserstein
from mainspring.stats.quantiles import QuantileSketch
from mainspring.stats.samples import Sample

calm = settings(deadline=None, max_examples=80)
OF_SHARES = ["psi", "jensen_shannon", "hellinger", "l_infinity", "total_variation", "cohens_w"]
numbers = st.lists(st.integers(-5, 5).map(float) | st.floats(-1e3, 1e3), min_size=1, max_size=60)


@st.composite
def two_shares(draw):
    k = draw(st.integers(1, 8))
    counts = [draw(st.lists(st.integers(0, 50), min_size=k, max_size=k).filter(any)) for _ in range(2)]
    return tuple(np.array(one, dtype=np.float64) / sum(one) for one in counts)


@calm
@given(two_shares(), st.sampled_from(OF_SHARES), st.floats(0, 0.5))
def test_a_distance_is_zero_of_equals_symmetric_and_falls_towards_the_reference(shares, name, error):
    measure = getattr(distances, name)
    p, q = shares
    assert measure(p, p) == pytest.approx(0, abs=1e-12)
    assert measure(p, q) == pytest.approx(measure(q, p))
    assert -1e-12 <= measure(p, towards(p, q, error)) <= measure(p, q) + 1e-9


@calm
@given(two_shares())
def test_distances_of_shares_are_scipys_and_within_their_ranges(shares):
    p, q = shares
    assert distances.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)
    assert distances.hellinger(p, q) <= 1
    assert distances.l_infinity(p, q) <= distances.total_variation(p, q) + 1e-12 <= 1 + 1e-9
    assert distances.cohens_w(p, q) <= 2 + 1e-12


def test_of_disjoint_shares_each_distance_is_its_greatest():
    p, q = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.5, 0.5])
    assert distances.jensen_shannon(p, q) == distances.hellinger(p, q) == distances.total_variation(p, q) == 1
    assert distances.cohens_w(p, q) == 2
    assert np.isfinite(psi(p, q))


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # SciPy's p-value of very few rows
@calm
@given(numbers, numbers)
def test_distances_of_samples_are_scipys(first, second):
    samples = Sample.of(first), Sample.of(second)
    expected = stats.ks_2samp(first, second, method="asymp").statistic
    assert kolmogorov_smirnov(*samples) == pytest.approx(expected, abs=1e-12)
    expected = stats.wasserstein_distance(first, second)
    assert wasserstein(*samples) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@calm
@given(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30), numbers, st.data())
def test_a_weight_is_so_many_rows(values, others, data):
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(values), max_size=len(values)))
    order = np.argsort(values, kind="stable")
    weighted = Sample(np.array(values)[order], np.array(weights, dtype=np.float64)[order])
    repeated, other = Sample.of(np.repeat(values, weights)), Sample.of(others)
    for measure in (kolmogorov_smirnov, wasserstein):
        assert measure(weighted, other) == pytest.approx(measure(repeated, other), abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_of_sketches_the_distance_is_off_by_no_more_than_their_errors(shift):
    random = np.random.default_rng(3)
    rows = random.normal(size=40_000), random.normal(shift, 1, size=9_000)
    sketches = []
    for values in rows:
        sketches.append(QuantileSketch())
        for part in np.array_split(values, 20):
            sketches[-1].add(part)
    raw, kept = [Sample.of(values) for values in rows], [Sample.from_sketch(sketch) for sketch in sketches]
    error = kept[0].share_error + kept[1].share_error
    assert 0 < error < 0.02
    assert abs(kolmogorov_smirnov(*kept) - kolmogorov_smirnov(*raw)) <= error
    assert wasserstein(*kept, share_error=error) <= wasserstein(*raw)


@calm
@given(numbers, st.integers(2, 12))
def test_bins_hold_all_rows_and_are_about_equal_but_for_frequent_values(values, bins):
    sample = Sample.of(values)
    edges = bin_edges(sample, bins)
    shares = shares_between(sample, edges)
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(edges) > 0).all()
    greatest = max(np.unique(values, return_counts=True)[1]) / len(values)
    assert shares.max() <= 1 / bins + greatest + 1e-9


def test_values_on_either_side_of_a_constant_are_seen():
    edges = bin_edges(Sample.of([5.0] * 10))
    assert shares_between(Sample.of([4.0, 5.0, 5.0, 6.0]), edges).tolist() == [0.25, 0.5, 0.25]
