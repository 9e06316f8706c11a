import subprocess
import sys
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import DataError
from mainspring.training.stable_hash import hash_key, hash_rows


def test_hashes_are_fixed_for_ever() -> None:
    # These numbers decide which rows of every model ever trained are held out: they must not change. They were
    # worked out apart, from the definitions of BLAKE2b and SplitMix64 in plain integers.
    assert hash_key(pl.Series(["a", "b", "a"])).tolist() == [
        3405396810240292928,
        8453121595177857668,
        3405396810240292928,
    ]
    frame = pl.DataFrame({"n": [1, None], "x": [0.5, -0.0], "t": ["é", ""], "b": [True, None]})
    assert hash_rows(frame).tolist() == [12343423185465659838, 223761539776193401]


def test_numbers_hash_by_value() -> None:
    frames = [
        pl.DataFrame({"x": [1, 2]}),
        pl.DataFrame({"x": [1.0, 2.0]}),
        pl.DataFrame({"x": [1, 2]}, schema={"x": pl.Int8}),
    ]
    assert len({tuple(hash_rows(frame).tolist()) for frame in frames}) == 1


def test_distinct_values_hash_apart() -> None:
    frame = pl.DataFrame({"x": [0.0, None, float("nan"), 2.0**53, 2.0**53 + 2, 1e-300]})
    assert len(set(hash_rows(frame).tolist())) == 6
    large = pl.DataFrame({"x": [2**62, 2**62 + 1]})
    assert len(set(hash_rows(large).tolist())) == 2
    assert hash_rows(pl.DataFrame({"x": [0.0]})) == hash_rows(pl.DataFrame({"x": [-0.0]}))


def test_the_empty_text_is_not_the_missing_one() -> None:
    assert len(set(hash_rows(pl.DataFrame({"t": ["", None]})).tolist())) == 2


def test_values_belong_to_their_column() -> None:
    assert hash_rows(pl.DataFrame({"a": [1], "b": [2]})) != hash_rows(pl.DataFrame({"a": [2], "b": [1]}))


def test_time_zones_of_one_instant_agree() -> None:
    times = pl.DataFrame({"t": [datetime(2026, 1, 2, 3, 4, 5)]})
    zoned = times.with_columns(pl.col("t").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    assert hash_rows(times) == hash_rows(zoned)
    assert hash_key(times["t"]) == hash_key(zoned["t"])


def test_float_keys_hash_as_their_shortest_text() -> None:
    assert (hash_key(pl.Series([17.0, 0.5])) == hash_key(pl.Series(["17", "0.5"]))).all()


def test_a_list_names_no_row() -> None:
    with pytest.raises(DataError, match="cannot name rows"):
        hash_key(pl.Series("tags", [["a"]]))


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=5)), min_size=1, max_size=30),
    st.randoms(),
)
def test_a_row_hashes_the_same_wherever_it_stands(rows: list[tuple[int, str]], random: object) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    frame = pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String}, orient="row")
    assert (hash_rows(frame)[order] == hash_rows(frame[order])).all()


def test_another_process_hashes_the_same() -> None:
    code = (
        "import polars as pl; from mainspring.training.stable_hash import hash_rows;"
        "print(hash_rows(pl.DataFrame({'a': ['x', 'y'], 'b': [1.5, None]})).tolist())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{hash_rows(pl.DataFrame({'a': ['x', 'y'], 'b': [1.5, None]})).tolist()}\n"}


def test_hashes_are_spread_evenly() -> None:
    shares = hash_rows(pl.DataFrame({"n": np.arange(20_000)})).astype(np.float64) / 2**64
    counts = np.histogram(shares, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 45  # chi², 19 degrees of freedom, p < 0.001
