from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.gate import Gate
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import DataError, DeclarationError, TargetError
from mainspring.training.dataset import prepare
from mainspring.training.dataset_files import load_frame, load_training_part, save_frame, save_training_data


def test_rows_are_prepared_as_they_stand(clicks: Any) -> None:
    rows = clicks.rows(300)
    data = clicks.data(clicks.model(slices=["device"]), rows)
    assert list(data.X.columns) == list(clicks.features)
    assert data.kinds == (Kind.NUMBER, Kind.INTEGER, Kind.CATEGORY)
    assert data.classes == ("no", "yes")
    assert data.positive == (1 if (rows["clicked"] == "yes").mean() <= 0.5 else 0)
    assert data.row.tolist() == list(range(300))
    assert data.slices["device"].tolist() == rows["device"].to_list()
    assert len(data.training_features) + len(data.holdout_features) == 300
    assert data.split == {"kind": "hash", "column": "id", "share": 0.2}


def test_rows_without_a_target_are_left_out_and_keep_their_numbers(clicks: Any) -> None:
    rows = clicks.rows(100).with_columns(
        pl.when(pl.int_range(100).is_in([3, 50])).then(None).otherwise(pl.col("clicked")).alias("clicked")
    )
    data = clicks.data(clicks.model(), rows)
    assert len(data.y) == 98
    assert 3 not in data.row
    assert 99 in data.row
    assert data.findings[0].rows == 2
    hidden = clicks.data(clicks.model(), rows.with_columns((pl.int_range(100) + 1000).alias("__row")))
    assert hidden.row[0] == 1000
    assert 1003 not in hidden.row
    assert (hidden.holdout == data.holdout).all()


def test_hidden_columns_do_not_move_rows_between_the_sides(clicks: Any) -> None:
    rows = clicks.rows(200)
    moved = rows.with_columns(pl.int_range(200).alias("__row"), pl.lit(0).alias("__part"))
    assert (
        clicks.data(clicks.model(), rows, key=None).holdout == clicks.data(clicks.model(), moved, key=None).holdout
    ).all()


def test_a_recorded_split_is_taken_over(clicks: Any) -> None:
    rows = clicks.rows(200)
    split = {"kind": "hash", "column": "id", "share": 0.5}
    assert (
        clicks.data(clicks.model(), rows, split=split).holdout.sum()
        > clicks.data(clicks.model(), rows).holdout.sum()
    )


def test_the_declared_positive_class_counts(clicks: Any) -> None:
    assert clicks.data(clicks.model(positive="no")).positive == 0
    with pytest.raises(DeclarationError, match="'maybe'"):
        clicks.data(clicks.model(positive="maybe"))


def test_slices_of_gates_are_kept_too(clicks: Any) -> None:
    model = clicks.model(gates=[Gate("roc_auc", at_least=0.5, by=("device", "age"))])
    slices = clicks.data(model).slices
    assert set(slices) == {"device", "age"}
    assert len(set(slices["age"])) == 5  # quarters, and the missing ones


def test_a_slice_that_is_no_column_is_named(clicks: Any) -> None:
    with pytest.raises(DeclarationError, match="'browser'"):
        clicks.data(clicks.model(slices=["browser"]))


def test_a_class_that_only_the_holdout_has_cannot_be_learnt(clicks: Any) -> None:
    rows = clicks.rows(60)
    held = clicks.data(clicks.model(), rows).holdout
    rows = rows.with_columns(pl.Series("clicked", np.where(held, "yes", "no")))
    with pytest.raises(TargetError, match=r"'yes'.*cannot be learnt"):
        clicks.data(clicks.model(), rows)


def test_a_holdout_of_one_class_can_judge_nothing(clicks: Any) -> None:
    rows = clicks.rows(60)
    held = clicks.data(clicks.model(), rows).holdout
    rows = rows.with_columns(pl.Series("clicked", np.where(~held & (np.arange(60) % 2 == 0), "yes", "no")))
    with pytest.raises(TargetError, match="nothing can be judged"):
        clicks.data(clicks.model(), rows)


def test_an_absent_feature_or_target_is_named(clicks: Any) -> None:
    with pytest.raises(DataError, match="'age'"):
        clicks.data(clicks.model(), clicks.rows().drop("age"))
    with pytest.raises(TargetError, match="'bought'"):
        clicks.data(clicks.model(target="bought"))


def test_a_regression_has_values_and_no_classes(clicks: Any) -> None:
    data = prepare(
        clicks.rows(), clicks.model(target="spent"), clicks.schema, task=Task.REGRESSION, features=clicks.features
    )
    assert data.y.dtype == np.float64
    assert data.classes == ()
    assert data.positive is None


def test_files_give_the_training_part_back(clicks: Any, tmp_path: Path) -> None:
    data = clicks.data(clicks.model())
    save_training_data(data, tmp_path)
    part = load_training_part(tmp_path)
    pd.testing.assert_frame_equal(part.X, data.training_features)
    assert (part.y == data.training_target).all()
    assert part.y.dtype == np.int64
    assert (part.classes, part.positive, part.task) == (data.classes, data.positive, data.task)
    pd.testing.assert_frame_equal(load_frame(tmp_path / "holdout"), data.holdout_features)


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.one_of(st.text(), st.just(float("nan"))),
            st.text(),
        ),
        max_size=20,
    )
)
def test_any_frame_survives_the_disk(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    frame = pd.DataFrame(
        {
            "texts": pd.Series(columns[1], dtype=object),
            "número": pd.Series(columns[0], dtype=np.float64),
            "more": pd.Series(columns[2], dtype=object),
        }
    )
    folder = tmp_path_factory.mktemp("frame")
    save_frame(frame, folder)
    pd.testing.assert_frame_equal(load_frame(folder), frame)
