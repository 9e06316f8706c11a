"""The rows that a release keeps for its monitors: which, with which answers, and which columns never."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind, Personal
from mainspring.domain.task import Task
from mainspring.errors import TamperedRelease
from mainspring.release.original import outputs_of
from mainspring.release.reference_rows import (
    MOST_ROWS,
    REFERENCE_ROWS,
    encode_reference_rows,
    known_truth,
    read_reference_rows,
    spread_places,
    truth_of,
)
from mainspring.release.sealing import seal
from mainspring.testing.releases import a_manifest
from mainspring.testing.sealed import COLUMNS, a_seal_order

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.mark.parametrize("task", Task)
def test_a_release_keeps_holdout_rows_with_its_answers_and_the_truth(task: Task, tmp_path: Path) -> None:
    order = a_seal_order(task)
    manifest = seal(order, folder=tmp_path / "1", key=KEY)
    kept = read_reference_rows(tmp_path / "1", manifest)
    assert kept is not None
    assert kept.columns == [*(f"input_{c.name}" for c in COLUMNS), "outputs", "label", "label_value"]
    for column in COLUMNS:
        assert kept[f"input_{column.name}"].equals(order.holdout_rows[column.name].alias(f"input_{column.name}"))
    answers = outputs_of(order.estimator, estimator_frame(order.holdout_rows, COLUMNS), task, order.classes)
    assert np.allclose(np.array(kept["outputs"].to_list()), answers, rtol=0, atol=1e-9)
    truth, other = ("label_value", "label") if task is Task.REGRESSION else ("label", "label_value")
    assert kept[truth].to_list() == order.holdout_rows["clicked"].to_list()
    assert kept[other].null_count() == kept.height


def test_what_is_a_persons_and_what_is_free_text_is_not_kept() -> None:
    rows = pl.DataFrame({"age": [1.0], "mail": ["a@b"], "note": ["hello"], "user": ["u1"], "job": ["cook"]})
    fields = [
        InputField("age", Kind.NUMBER),
        InputField("mail", Kind.CATEGORY, personal=Personal.HASH),
        InputField("note", Kind.TEXT),
        InputField("user", Kind.ID),
        InputField("job", Kind.CATEGORY),
    ]
    content = encode_reference_rows(rows, fields, np.array([[2.5]]), None)
    found = pl.read_parquet(content)
    assert found.columns == ["input_age", "input_job", "outputs", "label", "label_value"]
    assert found.select("outputs", "label", "label_value").row(0) == ([2.5], None, None)
    assert content == encode_reference_rows(rows, fields, np.array([[2.5]]), None)


def test_inputs_may_be_called_like_the_other_columns() -> None:
    rows = pl.DataFrame({"outputs": [1.0], "^label$": ["x"], "label_value": [True]})
    kinds = {"outputs": Kind.NUMBER, "^label$": Kind.CATEGORY, "label_value": Kind.BOOLEAN}
    fields = [InputField(name, kind) for name, kind in kinds.items()]
    found = pl.read_parquet(encode_reference_rows(rows, fields, np.array([[0.5, 0.5]]), pl.Series(["yes"])))
    assert found.row(0) == (1.0, "x", True, [0.5, 0.5], "yes", None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (pl.Series([True, False, None]), ["true", "false", None]),
        (pl.Series([1, 10, None]), ["1", "10", None]),
        (pl.Series([1.0, 1e22, None]), ["1.0", "1e+22", None]),
        (pl.Series([None, None], dtype=pl.Int64), [None, None]),
    ],
)
def test_classes_are_named_as_in_training(target: pl.Series, expected: list[str | None]) -> None:
    assert truth_of(target, is_classification=True).to_list() == expected


def test_the_truth_of_some_rows_stands_in_their_places() -> None:
    assert known_truth(np.array([0, 2]), np.array([1, 0]), 3, ("no", "yes")).to_list() == ["yes", None, "no"]
    assert known_truth(np.array([1]), np.array([2.5]), 2, ()).to_list() == [None, 2.5]


@given(st.integers(0, 100_000), st.integers(2, 50))
def test_places_are_spread_from_the_first_to_the_last(rows: int, most: int) -> None:
    places = spread_places(rows, most)
    assert len(places) == min(rows, most)
    assert (np.diff(places) > 0).all()
    if rows:
        assert (places[0], places[-1]) == (0, rows - 1)


def test_many_rows_are_thinned() -> None:
    assert len(spread_places(10 * MOST_ROWS)) == MOST_ROWS


def test_an_older_release_has_none_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    manifest = seal(a_seal_order(), folder=tmp_path / "1", key=KEY)
    older = replace(manifest, files={n: d for n, d in manifest.files.items() if n != REFERENCE_ROWS})
    assert read_reference_rows(tmp_path / "1", older) is None
    place = tmp_path / "1" / REFERENCE_ROWS
    place.write_bytes(place.read_bytes()[:-1])
    with pytest.raises(TamperedRelease, match=r"'reference.parquet' of adclick@1 is not the one"):
        read_reference_rows(tmp_path / "1", manifest)


def test_rows_that_are_no_table_are_refused_though_they_were_sealed(tmp_path: Path) -> None:
    (tmp_path / REFERENCE_ROWS).write_bytes(b"no table")
    manifest = a_manifest(files={REFERENCE_ROWS: digest_bytes(b"no table")})
    with pytest.raises(TamperedRelease, match=r"'reference.parquet' of adclick@7 is no table"):
        read_reference_rows(tmp_path, manifest)


def test_a_personal_column_of_the_model_is_left_out(tmp_path: Path) -> None:
    columns = tuple(replace(c, personal=Personal.MASK) if c.name == "age" else c for c in COLUMNS)
    assert isinstance(columns[0], Column)
    manifest = seal(replace(a_seal_order(), columns=columns), folder=tmp_path / "1", key=KEY)
    kept = read_reference_rows(tmp_path / "1", manifest)
    assert kept is not None
    assert "input_age" not in kept.columns
    assert "input_income" in kept.columns
