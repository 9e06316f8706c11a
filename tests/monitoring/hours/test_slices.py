"""Slices of hourly sketches: the same in every hour, few, and what their rows are."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mainspring.domain.measurement import Window
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.monitoring.hours.slices import MOST, slice_texts
from mainspring.monitoring.hours.update import update_hours
from mainspring.monitoring.hours.window_profile import slices_of, window_profile
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.production import store_answers
from mainspring.testing.releases import a_manifest

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Window(T0, T0 + timedelta(days=1))
FIELDS = (
    InputField("age", Kind.INTEGER, minimum=0, maximum=100),
    InputField("device", Kind.CATEGORY, categories=("phone", "tv")),
    InputField("new", Kind.BOOLEAN),
)


@pytest.fixture
def tables(tmp_path) -> DeltaTables:
    return DeltaTables(str(tmp_path))


def answer(tables: DeltaTables, hour: int, rows: pl.DataFrame) -> None:
    manifest = a_manifest(model="shop", number=1, inputs=FIELDS)
    at = [T0 + timedelta(hours=hour, seconds=n) for n in range(rows.height)]
    ids = [f"{hour}-{n}" for n in range(rows.height)]
    store_answers(tables, manifest, rows, np.full((rows.height, 2), 0.5), at, ids)
    update_hours(
        tables, "shop", {1: manifest}, now=T0, slices=[("device",), ("new", "device"), ("nosuch",), ("age",)]
    )


def test_a_slice_has_its_rows(tables: DeltaTables) -> None:
    answer(
        tables,
        0,
        pl.DataFrame(
            {
                "age": [1, 2, 30, 99, 120, None],
                "device": ["tv", "tv", "phone", "fridge", "car", None],
                "new": [True, False, True, True, None, None],
            }
        ),
    )
    answer(tables, 1, pl.DataFrame({"age": [5], "device": ["tv"], "new": [True]}))
    found = window_profile(tables, "shop", DAY, slice={"device": "tv"})
    assert found.rows == 3
    assert found.inputs.columns["age"].quantiles.weighted()[0].tolist() == [1, 2, 5]
    assert found.prediction.columns["prediction"].rows == 3
    assert window_profile(tables, "shop", DAY).rows == 7
    assert window_profile(tables, "shop", DAY, slice={"device": "tv", "new": "true"}).rows == 2
    assert window_profile(tables, "shop", DAY, slice={"device": "(other)"}).unseen["device"] == 2
    assert window_profile(tables, "shop", DAY, slice={"device": "radio"}).rows == 0
    assert slices_of(tables, "shop", DAY, ["device"]) == [
        ({"device": "tv"}, 3),
        ({"device": "(other)"}, 2),
        ({"device": "(missing)"}, 1),
        ({"device": "phone"}, 1),
    ]
    ages = [values["age"] for values, _ in slices_of(tables, "shop", DAY, ["age"])]
    assert set(ages) == {"< 25", "25 to 50", "≥ 75", "(missing)"}
    assert slices_of(tables, "shop", DAY, ["nosuch"]) == []


def test_of_many_combinations_the_rare_ones_are_one() -> None:
    fields = {
        name: (f"input_{name}", InputField(name, Kind.CATEGORY, categories=tuple(f"{n:02}" for n in range(50))))
        for name in ("a", "b")
    }
    random = np.random.default_rng(0)
    rows = pl.DataFrame({f"input_{name}": [f"{n:02}" for n in random.integers(0, 50, 3000)] for name in "ab"})
    texts = slice_texts(rows, fields)
    assert texts.n_unique() == MOST + 1
    assert (texts == '{"a":"(other)","b":"(other)"}').sum() > 2000


@pytest.mark.parametrize("name", ["^a.*$", "*", 'quo"te', "ä b"])
def test_odd_names_stand(name: str) -> None:
    field = InputField(name, Kind.NUMBER, minimum=1, maximum=1)
    rows = pl.DataFrame({f"input_{name}": [1.0, float("nan"), None, float("inf")]})
    values = slice_texts(rows, {name: (f"input_{name}", field)})
    assert [text.count("(other)") for text in values] == [1, 0, 0, 1]
    assert [text.count("(missing)") for text in values] == [0, 1, 1, 0]


def test_a_time_is_a_slice_by_its_month() -> None:
    rows = pl.DataFrame({"input_t": [T0, None]}, schema={"input_t": pl.Datetime("us", "UTC")})
    texts = slice_texts(rows, {"t": ("input_t", InputField("t", Kind.TIME))})
    assert texts.to_list() == ['{"t":"2026-03"}', '{"t":"(missing)"}']
