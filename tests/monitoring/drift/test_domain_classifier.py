import numpy as np
import polars as pl
import pytest

from mainspring.domain.schema import Kind
from mainspring.monitoring.drift.domain_classifier import separate

KINDS = {"x": Kind.NUMBER, "y": Kind.NUMBER, "job": Kind.CATEGORY, "known": Kind.BOOLEAN, "words": Kind.TEXT}


def rows(count, seed, *, correlation=0.0):
    random = np.random.default_rng(seed)
    x, noise = random.normal(size=count), random.normal(size=count)
    return pl.DataFrame(
        {
            "x": pl.Series(x).set(pl.Series(random.random(count) < 0.1), None),
            "y": correlation * x + (1 - correlation**2) ** 0.5 * noise,
            "job": pl.Series(random.choice(["cook", "tailor"], count)).set(
                pl.Series(random.random(count) < 0.1), None
            ),
            "known": random.random(count) < 0.5,
            "words": [f"{seed} {n}" for n in range(count)],
        }
    )


def test_rows_that_are_alike_cannot_be_told_apart():
    found = [separate(rows(400, 2 * seed), rows(300, 2 * seed + 1), KINDS) for seed in range(20)]
    z = np.array([(one.auc - 0.5) / one.error for one in found])
    assert np.abs(z).max() < 3
    assert abs(z.mean()) < 0.5
    assert min(one.p_value for one in found) > 1e-3


def test_a_correlation_that_broke_is_seen_though_each_column_is_as_it_was():
    found = separate(rows(2_000, 1, correlation=0.9), rows(2_000, 2), KINDS)
    assert found.auc > 0.7
    assert found.p_value < 1e-12
    assert {name for name, _ in found.leading} == {"x", "y"}
    assert found.rows == 4_000


def test_a_new_category_is_what_tells_them_apart():
    after = rows(900, 2).with_columns(pl.col("job").replace("cook", "nurse"))
    found = separate(rows(900, 1), after, KINDS)
    assert found.leading[0][0] == "job"
    assert found.auc > 0.65


def test_rows_that_come_often_are_not_learnt_by_heart():
    few = rows(60, 5)
    before = few.sample(1_500, with_replacement=True, seed=1)
    after = few.sample(1_500, with_replacement=True, seed=2)
    found = separate(before, after, KINDS)
    assert found.p_value > 1e-3


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (rows(500, 1), rows(500, 2), {"words": Kind.TEXT}),
        (rows(500, 1), rows(0, 2), KINDS),
        (rows(500, 1), rows(1, 2), KINDS),
        (
            rows(500, 1).with_columns(pl.lit(1.0).alias("x")),
            rows(500, 2).with_columns(pl.lit(1.0).alias("x")),
            {"x": Kind.NUMBER},
        ),
    ],
)
def test_where_nothing_can_be_learnt_nothing_is_said(before, after, kinds):
    assert separate(before, after, kinds) is None
