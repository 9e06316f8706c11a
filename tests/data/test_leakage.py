import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.data.leakage import find_leaks
from mainspring.domain.schema import Column, Kind, Schema, Severity
from mainspring.domain.task import Task

N = 6000
KINDS = {pl.String: Kind.CATEGORY, pl.Int64: Kind.INTEGER, pl.Float64: Kind.NUMBER, pl.Boolean: Kind.BOOLEAN}


def schema_of(frame, **kinds):
    return Schema(
        tuple(
            Column(name, kinds.get(name) or (Kind.TIME if dtype.is_temporal() else KINDS[dtype.base_type()]))
            for name, dtype in frame.schema.items()
        )
    )


def leaks(frame, target, task, *, without=(), key=None, time=None, holdout=None, **kinds):
    findings = find_leaks(
        frame,
        schema_of(frame, **kinds),
        target=target,
        task=task,
        features=[name for name in frame.columns if name not in {target, key, time, *without}],
        key=key,
        time=time,
        holdout=holdout,
    )
    assert all(f.severity is Severity.WARNING and f.message and f.cure for f in findings)
    return findings


def found(*arguments, **options):
    return [(f.code, f.column) for f in leaks(*arguments, **options)]


def clicks(seed=0):
    """Impressions with honest features: the click depends on them, and no one of them tells it."""
    random = np.random.default_rng(seed)
    device = random.choice(["phone", "desk", "tablet"], N)
    price = random.lognormal(size=N)
    chance = 1 / (1 + np.exp(1.5 - (device == "phone") - 0.4 * price))
    shown = datetime(2024, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "device": device,
            "price": price,
            "age": random.integers(18, 80, N),
            "seen_before": random.random(N) < 0.3,
            "shown_at": [shown + timedelta(seconds=int(s)) for s in np.sort(random.integers(0, 10**6, N))],
            "click": (random.random(N) < chance).astype(int),
        }
    ).with_columns(pl.col("shown_at").cast(pl.Datetime("us", "UTC")))


def sales(seed=0):
    random = np.random.default_rng(seed)
    size, area = random.lognormal(3, 0.5, N), random.choice(["a", "b", "c", "d"], N)
    price = size * 10 * (1 + 0.2 * (area == "a")) * random.lognormal(0, 0.4, N)
    return pl.DataFrame({"size": size, "area": area, "rooms": random.integers(1, 9, N), "price": price})


def test_honest_features_are_silent():
    half = np.arange(N) % 5 == 0
    assert found(clicks(), "click", Task.BINARY, time="shown_at", holdout=half) == []
    assert found(sales(), "price", Task.REGRESSION, holdout=half) == []


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_silent(seed):
    random = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            **{f"n{i}": random.normal(size=400) for i in range(10)},
            **{f"c{i}": random.choice([f"v{j}" for j in range(60)], 400) for i in range(5)},
            "y": random.choice(["a", "b", "c"], 400, p=[0.9, 0.05, 0.05]),
        }
    )
    assert found(frame, "y", Task.MULTICLASS) == []


RANDOM = np.random.default_rng(99)
LEAKS = {
    "a copy with errors": (pl.col("click") * 3 + pl.Series(RANDOM.normal(0, 0.8, N)), "leaks-target"),
    "a copy in words": (pl.col("click").replace_strict({0: "none", 1: "some"}), "leaks-target"),
    "what followed": (
        pl.when(pl.col("click") == 1).then(pl.Series(RANDOM.exponential(30, N)) + 1).otherwise(0.0),
        "leaks-target",
    ),
    "only where clicked": (
        pl.when(pl.col("click") == 1).then(pl.Series(RANDOM.exponential(30, N))),
        "missing-leaks-target",
    ),
    "only where not clicked": (pl.when(pl.col("click") == 0).then(pl.lit("bored")), "missing-leaks-target"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_of_a_click_is_found(name):
    expression, code = LEAKS[name]
    frame = clicks().with_columns(expression.alias("leak"))
    findings = leaks(frame, "click", Task.BINARY, time="shown_at")
    assert [(f.code, f.column) for f in findings] == [(code, "leak")]
    assert "bar 0.95" in findings[0].message


def test_the_time_of_the_click_is_found_by_being_there_and_by_being_later():
    later = pl.col("shown_at") + pl.duration(seconds=40)
    clicked = pl.when(pl.col("click") == 1)
    frame = clicks().with_columns(clicked.then(later).alias("clicked_at"), later.alias("closed_at"))
    assert found(frame, "click", Task.BINARY, time="shown_at") == [
        ("missing-leaks-target", "clicked_at"),
        ("known-later", "clicked_at"),
        ("known-later", "closed_at"),
    ]
    earlier = clicks().with_columns((pl.col("shown_at") - pl.duration(days=3)).alias("registered_at"))
    assert found(earlier, "click", Task.BINARY, time="shown_at") == []


def test_a_column_that_is_no_feature_leaks_nothing():
    frame = clicks().with_columns(pl.col("click").alias("copy"))
    assert found(frame, "click", Task.BINARY, time="shown_at", without=("copy",)) == []


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        (pl.col("price") * pl.Series(RANDOM.lognormal(0, 0.05, N)), "leaks-target"),
        (pl.col("price") + pl.col("size"), "leaks-target"),  # a sum of afterwards
        (-pl.col("price").sqrt(), "leaks-target"),
        (pl.col("price") > 250, "made-of-target"),
        (pl.when(pl.col("price") > 400).then(pl.lit("dear")).otherwise(pl.lit("cheap")), "made-of-target"),
    ],
)
def test_a_planted_leak_of_a_price_is_found(expression, code):
    assert found(sales().with_columns(expression.alias("leak")), "price", Task.REGRESSION) == [(code, "leak")]


def test_a_value_missing_exactly_where_a_price_is_zero_is_found():
    random = np.random.default_rng(3)
    sold = random.random(N) < 0.5
    frame = sales().with_columns(
        pl.when(pl.Series(sold)).then("price").otherwise(0.0).alias("price"),
        pl.when(pl.Series(sold)).then(pl.Series(random.normal(size=N))).alias("buyer_score"),
    )
    assert found(frame, "price", Task.REGRESSION) == [("missing-leaks-target", "buyer_score")]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"C-{i * 7919 % 10**6:06}" for i in range(N)], Kind.CATEGORY),
        ([f"C-{i * 7919 % 10**6:06}" for i in range(N)], Kind.ID),
        ([f"C-{i * 7919 % 10**6:06}" for i in range(N)], Kind.TEXT),
        (range(1000, 1000 + N), Kind.INTEGER),
        (range(10**9, 10**9 - 3 * N, -3), Kind.INTEGER),
        (np.random.default_rng(0).permutation(N), Kind.INTEGER),
        (np.random.default_rng(0).permutation(N).astype(float), Kind.NUMBER),
    ],
)
def test_an_id_among_the_features_is_found(values, kind):
    frame = clicks().with_columns(pl.Series("thing", list(values)))
    assert found(frame, "click", Task.BINARY, time="shown_at", thing=kind) == [("id-as-feature", "thing")]


def test_random_numbers_are_an_id_only_if_they_are_called_one():
    values = pl.Series(np.random.default_rng(0).choice(10**12, N, replace=False))
    for name, code in (
        ("user_id", True),
        ("customerID", True),
        ("income", False),
        ("paid", False),
        ("liquid", False),
    ):
        frame = clicks().with_columns(values.alias(name))
        assert bool(found(frame, "click", Task.BINARY, time="shown_at")) is code, name


def test_the_key_among_the_features_is_found_and_free_text_and_measures_are_no_ids():
    random = np.random.default_rng(0)
    frame = clicks().with_columns(
        pl.Series("words", [f"I saw it {i} times" for i in random.permutation(N)]),
        pl.Series("measure", random.normal(size=N)),
    )
    schema = schema_of(frame, words=Kind.TEXT)
    options = {"target": "click", "task": Task.BINARY, "time": "shown_at", "holdout": None}
    findings = find_leaks(frame, schema, features=["device", "words", "measure"], key="device", **options)
    assert [(f.code, f.column) for f in findings] == [("id-as-feature", "device")]


def test_the_same_rows_in_training_and_holdout_are_found():
    frame = sales()
    holdout = np.zeros(N, dtype=bool)
    holdout[-1000:] = True
    assert found(frame, "price", Task.REGRESSION, holdout=holdout) == []
    few, many = (pl.concat([frame.head(N - k), frame.head(k)]) for k in (15, 100))
    assert found(few, "price", Task.REGRESSION, holdout=holdout) == []
    (finding,) = leaks(many, "price", Task.REGRESSION, holdout=holdout)
    assert (finding.code, finding.column, finding.rows) == ("rows-in-both", None, 100)
    assert "100 of 1,000 holdout rows (10.0%)" in finding.message
    assert finding.examples[0] == {"row": N - 99}


def test_copies_under_new_keys_are_found_too():
    frame = pl.concat([sales().head(N // 2)] * 2).with_row_index("sale").cast({"sale": pl.Int64})
    holdout = hashed(frame)
    assert found(frame, "price", Task.REGRESSION, key="sale", holdout=holdout)[-1] == ("rows-in-both", None)


def test_a_table_of_few_different_values_has_no_copies_to_speak_of():
    random = np.random.default_rng(0)
    frame = pl.DataFrame({name: random.choice(["a", "b", "c"], N) for name in "uvy"})
    assert found(frame, "y", Task.MULTICLASS, holdout=np.arange(N) % 3 == 0) == []


def test_rows_without_a_target_are_left_out():
    frame = clicks().with_columns(pl.when(pl.int_range(N) % 2 == 0).then("click").alias("click"))
    assert found(frame, "click", Task.BINARY, time="shown_at", holdout=np.arange(N) % 3 == 0) == []


def test_a_column_that_is_off_is_passed_over():
    frame = clicks().with_columns(pl.col("click").alias("copy"))
    schema = schema_of(frame).with_column(Column("copy", Kind.INTEGER, severity=Severity.OFF))
    options = {"target": "click", "task": Task.BINARY, "key": None, "time": None, "holdout": None}
    assert find_leaks(frame, schema, features=["copy"], **options) == ()


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize(
    "y", [[], [1.0], [None] * 200, [1.0] * 200, [float("inf")] + [1.0, 2.0] * 150, [0.0] * 299 + [1.0]]
)
def test_bad_columns_do_not_crash(task, y):
    n = len(y)
    frame = pl.DataFrame(
        {
            "y": pl.Series(y, dtype=pl.Float64),
            "none": pl.Series([None] * n, dtype=pl.Float64),
            "nothing": pl.Series([None] * n, dtype=pl.String),
            "never": pl.Series([None] * n, dtype=pl.Datetime("us", "UTC")),
            "same": pl.Series(["a"] * n, dtype=pl.String),
            "odd": pl.Series([float("inf"), float("nan"), -1.0] * n, dtype=pl.Float64).head(n),
            "^x.*$": pl.Series(range(n), dtype=pl.Float64) % 7,
        }
    )
    assert not [code for code, _ in found(frame, "y", task, time="never", holdout=np.arange(n) % 2 == 0)]


def test_a_target_that_is_not_there_is_not_this_checks_business():
    frame = clicks().drop("click")
    assert found(frame, "click", Task.BINARY) == []


def test_half_a_million_rows_take_seconds():
    frame = pl.concat([clicks(seed) for seed in range(84)])
    random = np.random.default_rng(0)
    frame = frame.with_columns(*[pl.Series(f"x{i}", random.normal(size=frame.height)) for i in range(15)])
    start = time.perf_counter()
    assert found(frame, "click", Task.BINARY, time="shown_at", holdout=np.arange(frame.height) % 5 == 0) == []
    assert time.perf_counter() - start < 60


# Real data: the leak that is known fires, and nothing else does.


def read(real_data, path, **options):
    frame = pl.read_csv(real_data / path, infer_schema_length=None, **options)
    return frame.with_columns(pl.col(pl.String).str.strip_chars())


def hashed(frame):
    return np.random.default_rng(0).random(frame.height) < 0.2


def test_the_tip_of_a_big_tipper_is_found(real_data):
    frame = read(real_data, "chicago_taxi/big_tipper_label.csv")
    (finding,) = leaks(frame, "big_tipper", Task.BINARY, holdout=hashed(frame))
    assert (finding.code, finding.column) == ("leaks-target", "tips")


@pytest.mark.parametrize(
    ("path", "target", "task", "key"),
    [
        ("adult/adult_train.csv", "income", Task.BINARY, None),
        ("california_housing/housing.csv", "median_house_value", Task.REGRESSION, None),
        ("telco_churn/telco_churn.csv", "Churn", Task.BINARY, "customerID"),
        ("elec2/elec.csv", "class", Task.BINARY, None),
        ("elec2/elec_dated.csv", "class", Task.BINARY, None),
    ],
)
def test_clean_data_are_silent(real_data, path, target, task, key):
    frame = read(real_data, path)
    assert found(frame, target, task, key=key, holdout=hashed(frame)) == []


def test_the_customer_id_among_the_features_is_found(real_data):
    frame = read(real_data, "telco_churn/telco_churn.csv")
    assert found(frame, "Churn", Task.BINARY) == [("id-as-feature", "customerID")]


def test_the_fare_in_a_total_is_found(real_data):
    frame = read(real_data, "nyc_taxi/yellow_tripdata_sample_2019-01.csv", try_parse_dates=True)
    dates = [name for name, dtype in frame.schema.items() if dtype.is_temporal()]
    frame = frame.with_columns(pl.col(dates).dt.replace_time_zone("UTC"))
    assert found(frame, "total_amount", Task.REGRESSION, time="pickup_datetime") == [
        ("leaks-target", "fare_amount"),
        ("known-later", "dropoff_datetime"),
    ]
