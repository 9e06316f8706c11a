import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.schema import Kind
from mainspring.stats.drift import THRESHOLDS, compare
from mainspring.stats.drift_result import Component, worst_of
from mainspring.stats.profile import ColumnProfile
from mainspring.stats.samples import Sample
from mainspring.stats.two_sample_tests import ks_test

calm = settings(deadline=None, max_examples=80)
METHODS = ["auto", *THRESHOLDS]
ODD = [0.0, 1.0, -1.0, 5e-324, 1e308, -1e308, float("inf"), float("-inf"), float("nan")]


def numbers(values, kind=Kind.NUMBER, parts=1):
    column = ColumnProfile(kind)
    for part in np.array_split(np.asarray(values, dtype=np.float64), parts):
        piece = ColumnProfile(kind)
        piece.add_numbers(part)
        column.merge(piece)
    return column


def texts(counts, missing=0, kind=Kind.CATEGORY):
    column = ColumnProfile(kind)
    column.add_counts(counts, missing)
    return column


def normal(seed, n, shift=0.0, parts=1):
    return numbers(np.random.default_rng(seed).normal(shift, 1, size=n), parts=parts)


@calm
@given(*[st.lists(st.sampled_from(ODD) | st.floats(), max_size=60)] * 2, st.sampled_from(METHODS))
def test_whatever_the_numbers_there_is_a_number_or_a_reason(first, second, method):
    assert_said(compare(numbers(first), numbers(second), method=method), first == second)


@calm
@given(
    *[st.dictionaries(st.text(max_size=2), st.integers(1, 30), max_size=30)] * 2,
    *[st.integers(0, 20)] * 2,
    st.sampled_from(METHODS),
    st.sampled_from([Kind.CATEGORY, Kind.BOOLEAN, Kind.IMAGE, Kind.TEXT, Kind.ID]),
)
def test_whatever_the_texts_too(first, second, missing, others, method, kind):
    pair = texts(first, missing, kind), texts(second, others, kind)
    assert_said(compare(*pair, method=method), first == second and missing == others)


def assert_said(drift, same):
    json.dumps(asdict(drift), allow_nan=False)
    for one in (drift, *drift.components):
        if one.effect is None:
            assert one.note
            assert one.p_value is None
        else:
            assert one.effect >= 0
            assert 0 <= one.p_value <= 1
    if same and drift.effect is not None:
        assert drift.effect <= drift.threshold
        assert drift.p_value == 1


@pytest.mark.parametrize("method", METHODS)
def test_of_equal_columns_no_method_finds_a_drift(method):
    column = normal(0, 3_000)
    drift = compare(column, column, method=method)
    assert (drift.effect, drift.p_value) == (0, 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_shift_of_a_standard_deviation_is_seen_by_every_method_and_placed(method):
    drift = compare(normal(0, 20_000, parts=7), normal(1, 5_000, shift=1, parts=24), method=method)
    assert drift.component == "distribution"
    assert drift.effect > drift.threshold == THRESHOLDS[drift.method]
    assert drift.p_value < 1e-100
    assert drift.example["from"] > 1
    assert drift.example["to"] is None
    assert drift.example["reference"] == pytest.approx(0.1, abs=0.01)
    assert drift.example["current"] == pytest.approx(0.39, abs=0.03)


def test_few_rows_are_tested_exactly():
    random = np.random.default_rng(0)
    first, second = random.normal(size=200), random.normal(0.3, 1, size=150)
    drift = compare(numbers(first), numbers(second))
    expected = ks_test(Sample.of(first), Sample.of(second))
    distribution = drift.components[0]
    assert (distribution.method, distribution.effect, distribution.p_value) == ("ks", *expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_sketch_never_makes_a_greater_drift_than_the_rows_have(method):
    random = np.random.default_rng(1)
    for shift in (0.0, 0.1):
        rows = random.lognormal(size=1_000), random.lognormal(shift, 1, size=900)
        exact = compare(numbers(rows[0]), numbers(rows[1]), method=method).components[0]
        many = [np.tile(values, 30) for values in rows]  # the same distributions, too many rows to be held
        pair = numbers(many[0], parts=30), numbers(many[1], parts=100)
        assert pair[0].quantiles.rank_error > 0
        sketched = compare(*pair, method=method).components[0]
        # Chance makes less of the same effect where there are more rows: that is not the sketch's doing
        chance = 10 * (1 / 1_000 + 1 / 900) if method == "chi_squared" else 0
        assert sketched.effect**2 <= exact.effect**2 + chance + 1e-9


@pytest.mark.parametrize("values", [3, 50])
def test_few_different_numbers_are_compared_as_categories(values):
    random = np.random.default_rng(2)
    first = random.integers(0, values, size=4_000)
    second = np.where(random.random(3_000) < 0.2, 0, random.integers(0, values, size=3_000))
    drift = compare(numbers(first, Kind.INTEGER), numbers(second, Kind.INTEGER))
    assert drift.method == ("chi_squared" if values == 3 else "ks")
    assert drift.p_value < 1e-6
    assert drift.effect > drift.threshold
    if values == 3:
        assert drift.example["value"] == 0
    else:
        assert drift.example["to"] < 10


def test_an_integer_and_a_number_may_be_compared_but_not_a_number_and_a_category():
    assert compare(normal(0, 500), numbers(np.arange(300), Kind.INTEGER)).effect > 0.5
    drift = compare(normal(0, 500), texts({"a": 500}))
    assert drift.effect is None
    assert drift.note == "the kind changed from number to category"


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ([], [1.0] * 500, "0 rows on the reference side"),
        ([1.0] * 500, [1.0], "1 row on the current side"),
        ([float("nan")] * 500, [float("nan")] * 500, "0 rows with a finite value on the reference side"),
        ([1.0] * 500, [float("nan")] * 5 + [1.0] * 9, "9 rows with a finite value on the current side"),
    ],
)
def test_too_little_is_said_to_be(first, second, note):
    drift = compare(numbers(first), numbers(second))
    if np.isnan(second).sum() == 5:  # the distribution cannot be said, but that values are missing can
        assert drift.component == "missing"
        drift = drift.components[0]
    assert drift.effect is None
    assert drift.p_value is None
    assert drift.note == f"not enough to say: {note}"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_column_that_lost_its_numbers_has_drifted(bad):
    drift = compare(normal(0, 5_000), numbers(np.full(500, bad)))
    assert drift.component == ("missing" if np.isnan(bad) else "infinite")
    assert (drift.effect, drift.example["current"]) == (1, 1)
    assert drift.p_value < 1e-100


def test_missing_values_alone_are_a_drift_and_the_distribution_is_not():
    values = np.random.default_rng(0).normal(size=6_000)
    values[::10] = np.nan
    drift = compare(normal(1, 6_000), numbers(values))
    assert drift.component == "missing"
    assert drift.effect == drift.missing_change == pytest.approx(0.1)
    assert drift.components[0].name == "distribution"
    assert drift.components[0].effect < drift.components[0].threshold


def test_values_beyond_the_range_are_found_even_where_the_rest_hides_them():
    values = np.random.default_rng(0).normal(size=5_000)
    values[:100] = 50
    drift = compare(normal(1, 20_000), numbers(values))
    assert drift.component == "out_of_range"
    assert drift.out_of_range_share == pytest.approx(0.02, abs=0.001)
    assert drift.example["value"] == 50


def test_a_new_value_is_named_and_counts_as_a_drift_once_it_is_frequent():
    before = texts({"cash": 6_000, "card": 4_000})
    one = compare(before, texts({"cash": 3_000, "card": 2_000, "token": 1}))
    assert one.unseen == {"token": 1}
    assert one.effect <= one.threshold
    many = compare(before, texts({"cash": 3_000, "card": 2_000, "token": 100, "coin": 3}))
    assert many.unseen == {"token": 100, "coin": 3}
    assert many.effect > many.threshold
    assert many.p_value < 1e-10
    assert many.example["value"] == "token"


def test_new_values_are_no_drift_where_each_row_brings_one():
    law = 1 / np.arange(1, 5_000) ** 1.1
    random = np.random.default_rng(0)
    halves = [random.choice(law.size, size=2_000, p=law / law.sum()) for _ in range(2)]
    columns = [
        texts({str(v): int(n) for v, n in zip(*np.unique(half, return_counts=True), strict=True)})
        for half in halves
    ]
    drift = compare(*columns)
    assert sum(drift.unseen.values()) >= 90
    unseen = next(one for one in drift.components if one.name == "unseen")
    assert unseen.p_value > 0.001 or unseen.effect < unseen.threshold
    assert drift.component == "distribution"
    assert drift.p_value > 0.001


def test_a_category_with_a_million_values_is_too_many_to_say():
    columns = [texts({f"{part}{n}": 1 for n in range(500_000)}) for part in "ab"]
    drift = compare(*columns)
    assert drift.effect is None
    assert drift.note == "too many different values to compare their shares"
    assert drift.unseen == {}  # not all that the reference has is remembered, so that none can be called new
    assert [one.name for one in drift.components] == ["distribution", "missing"]
    frequent = texts({"x": 400_000} | {str(n): 1 for n in range(100_000)})
    other = texts({"x": 200_000, "y": 200_000} | {str(n): 1 for n in range(100_000)})
    found = compare(frequent, other)
    assert found.effect > found.threshold
    assert found.example["value"] in ("x", "y")


def test_an_ids_like_category_of_a_few_rows_is_no_fine():
    drift = compare(texts({str(n): 1 for n in range(800)}), texts({str(n): 1 for n in range(900, 1_500)}))
    assert drift.effect is None
    assert drift.note == "too few rows for so many different values"


def test_constants():
    assert compare(numbers(np.full(100, 5.0)), numbers(np.full(300, 5.0))).effect == 0
    for method in METHODS:
        for pair in ((5.0, 6.0), (0.0, 1e300)):
            drift = compare(*(numbers(np.full(300, value)) for value in pair), method=method)
            assert drift.components[0].effect > drift.components[0].threshold
    spread = np.random.default_rng(0).normal(5, 1, size=400)
    for method in METHODS:
        drift = compare(numbers(np.full(300, 5.0)), numbers(spread), method=method)
        assert drift.components[0].effect > drift.components[0].threshold
        assert drift.example["value"] == 5.0


@pytest.mark.parametrize("kind", [Kind.TIME, Kind.IMAGE])
def test_times_and_pictures_go_on_and_only_missing_ones_count(kind):
    if kind is Kind.TIME:
        before, after = (numbers(np.arange(start, start + 900), kind) for start in (0, 5_000))
        gone = numbers(np.where(np.arange(900) % 3, np.arange(900.0), np.nan), kind)
    else:
        before, after = (texts({f"{n}.png": 1 for n in range(start, start + 900)}, kind=kind) for start in (0, 5))
        gone = texts({f"{n}.png": 1 for n in range(600)}, 300, kind)
    drift = compare(before, after)
    assert (drift.component, drift.effect) == ("missing", 0)
    assert "only missing values are compared" in drift.note
    assert compare(before, gone).effect == pytest.approx(1 / 3)


def test_a_method_that_the_kind_does_not_have_is_replaced_with_a_note_and_an_unknown_one_refused():
    before, after = texts({"a": 500, "b": 500}), texts({"a": 500, "b": 900})
    assert compare(before, after, method="wasserstein").method == "chi_squared"
    assert (
        compare(before, after, method="wasserstein").note == "wasserstein needs numbers, so chi_squared was taken"
    )
    assert compare(before, after, method="psi").note == ""
    with pytest.raises(ValueError, match="no method 'euclid'; use one of auto, ks"):
        compare(before, after, method="euclid")


def test_texts_are_compared_by_their_lengths():
    before = texts({"x" * n: 30 for n in range(1, 60)}, kind=Kind.TEXT)
    after = texts({"x" * n: 30 for n in range(20, 80)}, kind=Kind.TEXT)
    drift = compare(before, after)
    assert drift.method == "ks"
    assert drift.effect > drift.threshold


def test_the_p_value_is_corrected_for_the_components():
    drift = compare(normal(0, 2_000), normal(1, 2_000, shift=0.1))
    tested = [one.p_value for one in drift.components]
    assert len(tested) == 3
    assert drift.p_value == pytest.approx(min(1, 3 * drift.components[0].p_value))


def test_of_several_components_beyond_doubt_the_first_speaks_and_else_the_surest():
    def component(name, effect, p):
        return Component(name, "", effect, 0.1, p)

    sure, surer = component("distribution", 0.2, 1e-20), component("missing", 0.9, 1e-90)
    assert worst_of((sure, surer)) is sure
    assert worst_of((component("distribution", 0.2, 0.01), surer)).name == "missing"
    assert worst_of((component("distribution", 0.05, 1e-30), surer)).name == "missing"
    assert worst_of((component("distribution", None, None), component("missing", 0.01, 0.5))).effect is None
