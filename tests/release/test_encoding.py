"""The encoder of requests: right rows become numbers, wrong ones name their row, field and cure."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import InvalidInput
from mainspring.release.encoding import Encoder

NUMBER = InputField("score", Kind.NUMBER)
INTEGER = InputField("age", Kind.INTEGER, missing=("?", ""), strip=True)
BOOLEAN = InputField("member", Kind.BOOLEAN, true=("yes", "1"), false=("no", "0"))
CATEGORY = InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"), missing=("?",), strip=True)
TIME = InputField("at", Kind.TIME)
TEXT = InputField("note", Kind.TEXT, vocabulary=("", "hello"))
FIELDS = (NUMBER, INTEGER, BOOLEAN, CATEGORY, TIME, TEXT)
GOOD = {"score": 1.5, "age": 31, "member": True, "job": "pilot", "at": "2026-01-31T09:00:00Z", "note": "hello"}


def encode(field: InputField, value: object) -> float:
    return float(Encoder([field]).rows_to_matrix([{field.name: value}])[0, 0])


def test_a_row_of_every_kind() -> None:
    matrix = Encoder(FIELDS).rows_to_matrix([GOOD])
    assert matrix.dtype == np.float64
    assert matrix.tolist() == [[1.5, 31.0, 1.0, 1.0, 1769850000.0, 1.0]]


def test_missing_everywhere() -> None:
    matrix = Encoder(FIELDS).rows_to_matrix([dict.fromkeys(GOOD)])
    assert np.isnan(matrix[0, [0, 1, 2, 4]]).all()
    assert matrix[0, 3] == 3.0  # after two known words and the unknown one
    assert matrix[0, 5] == 0.0  # a free text is empty, not missing


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, -0.0, -0.0),
        (NUMBER, 5e-324, 5e-324),
        (NUMBER, 10**300, 1e300),
        (INTEGER, 3.0, 3.0),
        (INTEGER, 2**63 - 1, 2.0**63),
        (INTEGER, -(2**63), -(2.0**63)),
        (BOOLEAN, False, 0.0),
        (BOOLEAN, "yes", 1.0),
        (BOOLEAN, "0", 0.0),
        (BOOLEAN, 1, 1.0),
        (CATEGORY, " clerk\u00a0", 0.0),
        (CATEGORY, "baker", 2.0),
        (CATEGORY, "", 2.0),
        (CATEGORY, " ? ", 3.0),
        (TIME, "1970-01-01", 0.0),
        (TIME, "1970-01-01T01:00:00+01:00", 0.0),
        (TIME, "1969-12-31T23:59:59.5", -0.5),
        (InputField("at", Kind.TIME, time_format="epoch_s"), 12, 12.0),
        (InputField("at", Kind.TIME, time_format="epoch_ms"), 1500, 1.5),
        (InputField("at", Kind.TIME, time_format="%d.%m.%Y"), "02.01.1970", 86400.0),
        (InputField("code", Kind.ID), "x", 0.0),
        (InputField("code", Kind.ID), None, 1.0),
    ],
)
def test_values_that_are_taken(field: InputField, value: object, expected: float) -> None:
    for rows in (1, 20):
        matrix = Encoder([field]).rows_to_matrix([{field.name: value}] * rows)
        assert matrix.tolist() == [[expected]] * rows
        assert math.copysign(1, matrix[0, 0]) == math.copysign(1, expected)


@pytest.mark.parametrize("value", [" ? ", "", None, "?"])
def test_declared_spellings_of_missing_count_for_numbers_too(value: object) -> None:
    assert math.isnan(encode(INTEGER, value))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (NUMBER, "3", "'3', not a number"),
        (NUMBER, True, "boolean true, not a number"),
        (NUMBER, math.nan, "not finite"),
        (NUMBER, -math.inf, "not finite"),
        (NUMBER, 10**400, "too great"),
        (NUMBER, [1.0], "an array, not a number"),
        (INTEGER, 3.5, "3.5, not a whole number"),
        (INTEGER, 2**63, "beyond 64 bits"),
        (INTEGER, 1e300, "beyond 64 bits"),
        (INTEGER, math.inf, "not finite"),
        (INTEGER, 10**4000, "too great"),
        (INTEGER, False, "boolean false"),
        (BOOLEAN, "true", "'true', not a boolean"),
        (BOOLEAN, 2, "2, not a boolean"),
        (BOOLEAN, 1.0, "1.0, not a boolean"),
        (InputField("member", Kind.BOOLEAN), 1, "1, not a boolean"),
        (CATEGORY, 3, "3, not a text"),
        (CATEGORY, True, "not a text"),
        (CATEGORY, 0.0, "not a text"),
        (CATEGORY, ["clerk"], "an array, not a text"),
        (CATEGORY, {}, "an object, not a text"),
        (TIME, "yesterday", "'yesterday', not a time"),
        (TIME, 12, "12, not a time"),
        (TIME, "2026-13-01", "not a time"),
        (InputField("at", Kind.TIME, time_format="epoch_s"), True, "not a time"),
        (InputField("at", Kind.TIME, time_format="epoch_s"), 1e300, "beyond every calendar"),
        (InputField("at", Kind.TIME, time_format="epoch_s"), math.nan, "not finite"),
        (InputField("score", Kind.NUMBER, required=True), None, "never saw it missing"),
        (InputField("job", Kind.CATEGORY, required=True, missing=("?",)), "?", "never saw it missing"),
    ],
)
def test_values_that_are_refused_name_row_and_field(field: InputField, value: object, words: str) -> None:
    good = next({f.name: GOOD[f.name]} for f in FIELDS if f.name == field.name)
    if field.time_format:
        good = {"at": 5}
    for before, rows in ((0, 1), (2, 3), (30, 40)):
        batch: list[dict[str, object]] = [dict(good) for _ in range(rows)]
        batch[before] = {field.name: value}
        for convert in (Encoder([field]).rows_to_matrix, Encoder([field]).rows_to_columns):
            with pytest.raises(InvalidInput, match="field") as caught:
                convert(batch)
            assert caught.value.where == {"row": before, "field": field.name}
            assert words in caught.value.message
            assert caught.value.cure
            assert len(str(caught.value)) < 300


def test_an_unknown_field_is_named_with_the_one_that_was_meant() -> None:
    row = {**GOOD, "agee": 3}
    del row["age"]
    with pytest.raises(InvalidInput, match=r"row 0: there is no field 'agee'; did you mean 'age'\?") as caught:
        Encoder(FIELDS).rows_to_matrix([row])
    assert caught.value.where == {"row": 0, "field": "agee"}


ALL = ", ".join(repr(field.name) for field in FIELDS)


@pytest.mark.parametrize(
    ("dropped", "field", "cure"),
    [
        (None, "foo", f"leave it out; the fields are {', '.join(repr(f.name) for f in FIELDS)}; 'shop_id' may be"),
        (
            "job",
            "foo",
            f"leave it out; the fields are {', '.join(repr(f.name) for f in FIELDS)}; 'shop_id' may be",
        ),
        ("job", "JOB", "did you mean 'job'?"),
        (None, "JOB", "leave it out; "),
        (None, "Shopid", "did you mean 'shop_id'?"),
    ],
)
def test_the_cure_of_an_unknown_field_lists_all_that_are_taken(dropped: str | None, field: str, cure: str) -> None:
    row = {name: value for name, value in GOOD.items() if name != dropped} | {field: 1}
    with pytest.raises(InvalidInput) as caught:
        Encoder(FIELDS, ["shop_id"]).rows_to_matrix([row])
    assert caught.value.cure.startswith(cure)


def test_an_absent_field_is_named() -> None:
    row = dict(GOOD)
    del row["job"]
    with pytest.raises(InvalidInput, match="row 1: the field 'job' is absent; send it, as null"):
        Encoder(FIELDS).rows_to_matrix([GOOD, row])


@pytest.mark.parametrize("row", [None, 3, "text", [1, 2]])
def test_a_row_that_is_no_object(row: object) -> None:
    with pytest.raises(InvalidInput, match="row 0 is no JSON object"):
        Encoder(FIELDS).rows_to_matrix([row])  # type: ignore[list-item]


def test_the_first_wrong_place_is_named_whatever_the_batch() -> None:
    rows: list[dict[str, object]] = [dict(GOOD) for _ in range(50)]
    rows[7]["note"] = 3
    rows[9]["score"] = "x"
    with pytest.raises(InvalidInput, match="row 7: field 'note'"):
        Encoder(FIELDS).rows_to_matrix(rows)


def test_no_rows_give_an_empty_matrix() -> None:
    assert Encoder(FIELDS).rows_to_matrix([]).shape == (0, 6)


def test_columns_for_the_original_estimator() -> None:
    columns = Encoder(FIELDS).rows_to_columns([{**GOOD, "job": " ? ", "note": None}])
    assert columns == {
        "score": [1.5],
        "age": [31.0],
        "member": [1.0],
        "job": [None],
        "at": [1769850000.0],
        "note": [None],
    }


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([*GOOD.values(), "?", " clerk", "no", 1, 0, 1.0]),
    st.just([1]),
)


@given(st.lists(st.tuples(*[VALUES] * len(FIELDS)), min_size=1, max_size=3), st.integers(0, 20))
def test_one_row_few_rows_and_many_rows_are_judged_alike(cells: list[tuple[object, ...]], extra: int) -> None:
    encoder = Encoder(FIELDS)
    rows = [dict(zip(GOOD, values, strict=True)) for values in cells]
    single: list[list[float]] = []
    error = None
    for number, row in enumerate(rows):
        try:
            single += encoder.rows_to_matrix([row]).tolist()
        except InvalidInput as caught:
            error = (number, caught.where["field"])
            break
    padded = rows + [GOOD] * extra
    if error is None:
        batch = encoder.rows_to_matrix(padded)
        np.testing.assert_array_equal(batch[: len(rows)], single)
        columns = encoder.rows_to_columns(rows)
        np.testing.assert_array_equal(np.array(columns["score"]), np.array(single)[:, 0])
    else:
        with pytest.raises(InvalidInput) as batch_error:
            encoder.rows_to_matrix(padded)
        assert (batch_error.value.where["row"], batch_error.value.where["field"]) == error


def test_the_gateway_can_import_it() -> None:
    heavy = "polars pandas pyarrow sqlalchemy sklearn mlflow"
    code = (
        "import sys, mainspring.release.encoding, mainspring.release.runtimes.onnx\n"
        f"assert not set({heavy!r}.split()) & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_events_key_may_stand_in_a_row_and_changes_nothing() -> None:
    encoder = Encoder(FIELDS, ["id", "segment", "job"])
    for rows in ([GOOD], [GOOD] * 3, [GOOD] * 40):
        keyed = [{"id": f"k{n}", **row} if n % 2 == 0 else {**row, "segment": None} for n, row in enumerate(rows)]
        np.testing.assert_array_equal(encoder.rows_to_matrix(keyed), encoder.rows_to_matrix(rows))
        np.testing.assert_equal(encoder.rows_to_columns(keyed), encoder.rows_to_columns(rows))


@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ["k"]}, "row 0: field 'id' is an array, not a plain value"),
        ({"id": {}}, "row 0: field 'id' is an object"),
        ({"id": 1, "nosuch": 1}, "row 0: there is no field 'nosuch'"),
        ({"nosuch": 1}, "row 0: there is no field 'nosuch'"),
    ],
)
def test_nothing_else_may_stand_in_a_row(rows: int, change: dict[str, object], message: str) -> None:
    encoder = Encoder(FIELDS, ["id"])
    for convert in (encoder.rows_to_matrix, encoder.rows_to_columns):
        with pytest.raises(InvalidInput, match=re.escape(message)):
            convert([{**GOOD, **change}] * rows)


def test_a_key_does_not_stand_for_an_absent_field() -> None:
    row = {"id": 1, **GOOD}
    del row["job"]
    for rows in ([row], [row] * 40):
        with pytest.raises(InvalidInput, match="'job' is absent"):
            Encoder(FIELDS, ["id"]).rows_to_matrix(rows)
