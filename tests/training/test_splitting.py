import itertools
import time
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import DataError
from mainspring.training.splitting import apply_split, assign_holdout, times_of

START = datetime(2026, 1, 1)


def by_hour(hours: list[int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"at": [None if h is None else START + timedelta(hours=h) for h in hours]},
        schema={"at": pl.Datetime("us", "UTC")},
    )


def test_the_newest_part_is_held_out_whatever_the_order() -> None:
    assert assign_holdout(by_hour([5, 1, 4, 2, 3]), share=0.4, time="at").mask.tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]


@given(st.lists(st.integers(0, 20), min_size=2, max_size=200), st.floats(0.05, 0.95))
def test_rows_of_one_time_are_on_one_side(hours: list[int], share: float) -> None:
    if len(set(hours)) == 1:
        return
    found = assign_holdout(by_hour(list(hours)), share=share, time="at")
    held = {h for h, m in zip(hours, found.mask, strict=True) if m}
    learnt = {h for h, m in zip(hours, found.mask, strict=True) if not m}
    assert held
    assert learnt
    assert max(learnt) < min(held)
    assert (apply_split(by_hour(list(hours)), found.split) == found.mask).all()


def test_of_the_two_edges_of_a_tie_the_nearer_is_taken() -> None:
    found = assign_holdout(by_hour([1] * 5 + [2] * 90 + [3] * 5), share=0.2, time="at")
    assert found.mask.sum() == 5


def test_missing_times_are_an_error_that_names_rows() -> None:
    with pytest.raises(DataError, match=r"'at' is missing in 2 of 4 rows, first in rows 2, 4") as found:
        assign_holdout(by_hour([1, None, 2, None]), share=0.2, time="at")
    assert found.value.where == {"column": "at", "row": 2, "rows": 2}


def test_one_time_only_leaves_no_newest_part() -> None:
    with pytest.raises(DataError, match="has one value"):
        assign_holdout(by_hour([3, 3, 3]), share=0.2, time="at")


def test_a_text_is_no_time() -> None:
    with pytest.raises(DataError, match="not times"):
        assign_holdout(pl.DataFrame({"at": ["a", "b"]}), share=0.2, time="at")


def test_an_absent_column_is_named() -> None:
    with pytest.raises(DataError, match="'uid'"):
        assign_holdout(pl.DataFrame({"a": [1, 2]}), share=0.2, key="uid")


@given(
    keys=st.lists(st.text(min_size=1, max_size=4), min_size=40, max_size=80, unique=True),
    more=st.lists(st.text(min_size=5, max_size=6), max_size=20, unique=True),
    random=st.randoms(),
)
def test_a_key_keeps_its_side_for_ever(keys: list[str], more: list[str], random: object) -> None:
    mask = apply_split(pl.DataFrame({"k": keys, "v": 1}), {"kind": "hash", "column": "k", "share": 0.3})
    side = dict(zip(keys, mask.tolist(), strict=True))
    later = keys + more + keys[:5]
    random.shuffle(later)  # type: ignore[attr-defined]
    again = apply_split(pl.DataFrame({"k": later, "v": 2}), {"kind": "hash", "column": "k", "share": 0.3})
    assert all(side.get(k, m) == m for k, m in zip(later, again.tolist(), strict=True))


def test_a_smaller_share_holds_out_some_of_the_same_rows() -> None:
    frame = pl.DataFrame({"k": [f"{i}" for i in range(2000)]})
    small = assign_holdout(frame, share=0.1, key="k").mask
    large = assign_holdout(frame, share=0.3, key="k").mask
    assert (large | ~small).all()
    assert 0.08 < small.mean() < 0.12
    assert 0.27 < large.mean() < 0.33


def test_equal_rows_without_a_key_are_on_one_side() -> None:
    frame = pl.DataFrame({"a": np.arange(300) % 100, "b": "x"})
    mask = assign_holdout(frame, share=0.5).mask.reshape(3, 100)
    assert (mask == mask[0]).all()


def test_rows_without_a_key_are_told_by_their_content() -> None:
    frame = pl.DataFrame({"k": [None] * 100, "v": np.arange(100)}, schema={"k": pl.String, "v": pl.Int64})
    assert 0 < assign_holdout(frame, share=0.5, key="k").mask.sum() < 100


def test_two_rows_that_fall_on_one_side_are_refused() -> None:
    with pytest.raises(DataError, match="leaves one side empty"):
        assign_holdout(pl.DataFrame({"k": ["a", "a"]}), share=0.5, key="k")
    with pytest.raises(DataError, match=r"name another key in model.*: 'k' has 1 different"):
        assign_holdout(pl.DataFrame({"k": ["a"] * 4}), share=0.5, key="k")


def test_a_million_rows_take_a_moment() -> None:
    n = 1_000_000
    frame = pl.DataFrame({"k": np.arange(n), "x": np.arange(n) * 0.5})
    began = time.process_time()
    assign_holdout(frame, share=0.2, key="k")
    assert time.process_time() - began < 8  # about 1.5 s of two busy cores


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=30))
def test_plain_numbers_as_times_keep_their_order(numbers: list[float]) -> None:
    found = times_of(pl.DataFrame({"day": pl.Series(numbers, dtype=pl.Float64)}), "day")
    for i, j in itertools.pairwise(range(len(numbers))):
        assert (numbers[i] < numbers[j]) == (found[i] < found[j])
        assert (numbers[i] == numbers[j]) == (found[i] == found[j])
