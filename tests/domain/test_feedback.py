"""Reading messages of feedback: what people send is understood, and what makes no sense is named."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.feedback import DERIVED, FIELDS, Message, message, read_message, with_key
from mainspring.domain.release import OutputSpec
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.domain.truth import RefusedTruth, Truth
from mainspring.errors import InvalidInput

INCOME = Truth(OutputSpec(Task.BINARY, ("<=50K", ">50K"), ">50K"))
PRICE = Truth(OutputSpec(Task.REGRESSION))


def read(document: Any, truth: Truth = INCOME) -> Message:
    return read_message(document, truth, 3)


def test_a_label_by_prediction_id_or_key():
    said = read({"prediction_id": "r-1/7", "label": ">50K", "happened_at": "2026-01-31T09:00:00+01:00"})
    assert (said.prediction_id, said.key, said.name, said.label, said.value) == (
        "r-1/7",
        None,
        "label",
        ">50K",
        None,
    )
    assert said.happened_at == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert read({"prediction_id": "r-1", "label": ">50K"}).prediction_id == "r-1/0"
    assert read({"prediction_id": "r-1/007", "label": ">50K"}).prediction_id == "r-1/7"
    assert read({"key": 17, "label": ">50K"}) == read({"key": "17", "prediction_id": None, "label": ">50K"})


def test_outcomes_are_numbers_and_a_regressions_truth_is_one():
    assert read({"key": "a", "name": "revenue", "value": 3}).value == 3.0
    assert read({"key": "a", "name": "returned", "value": True}).value == 1.0
    assert read({"key": "a", "label": 12.5}, PRICE).value == read({"key": "a", "value": 12.5}, PRICE).value == 12.5


def test_to_take_a_label_back_is_said_in_words():
    said = read({"key": "a", "withdraw": True})
    assert (said.label, said.value) == (None, None)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"label": ">50K"}, "prediction_id"),
        ({"prediction_id": "a", "key": "b", "label": ">50K"}, "key"),
        ({"prediction_id": "a", "lable": ">50K"}, "lable"),
        ({"prediction_id": "a"}, "label"),
        ({"prediction_id": "a", "label": None}, "label"),
        ({"prediction_id": "a", "label": "50K"}, "label"),
        ({"prediction_id": "a", "label": ""}, "label"),
        ({"prediction_id": "a", "label": [">50K"]}, "label"),
        ({"prediction_id": "a", "label": {">50K": 1}}, "label"),
        ({"prediction_id": "a", "label": 10**400}, "label"),
        ({"prediction_id": "a", "label": float("nan")}, "label"),
        ({"prediction_id": "a", "value": 1}, "value"),
        ({"prediction_id": "a", "label": ">50K", "value": 1}, "value"),
        ({"prediction_id": "a", "label": ">50K", "withdraw": True}, "label"),
        ({"prediction_id": "a", "label": ">50K", "withdraw": "yes"}, "withdraw"),
        ({"prediction_id": "a", "name": "revenue", "label": ">50K"}, "label"),
        ({"prediction_id": "a", "name": "revenue"}, "value"),
        ({"prediction_id": "a", "name": "revenue", "value": "3"}, "value"),
        ({"prediction_id": "a", "name": "revenue", "value": float("inf")}, "value"),
        ({"prediction_id": "a", "name": "revenue", "value": 10**400}, "value"),
        ({"prediction_id": "a", "name": "Revenue per user", "value": 3}, "name"),
        ({"prediction_id": "a", "name": "../x", "value": 3}, "name"),
        ({"prediction_id": "a", "name": 3, "value": 3}, "name"),
        ({"prediction_id": "", "label": ">50K"}, "prediction_id"),
        ({"prediction_id": "a/b", "label": ">50K"}, "prediction_id"),
        ({"prediction_id": "a/-1", "label": ">50K"}, "prediction_id"),
        ({"prediction_id": "a/٣", "label": ">50K"}, "prediction_id"),
        ({"prediction_id": "a\n", "label": ">50K"}, "prediction_id"),
        ({"prediction_id": 3, "label": ">50K"}, "prediction_id"),
        ({"prediction_id": "x" * 101, "label": ">50K"}, "prediction_id"),
        ({"key": "", "label": ">50K"}, "key"),
        ({"key": "x" * 1001, "label": ">50K"}, "key"),
        ({"key": 1.5, "label": ">50K"}, "key"),
        ({"key": True, "label": ">50K"}, "key"),
        ({"key": 10**400, "label": ">50K"}, "key"),
        ({"key": "a", "label": ">50K", "happened_at": "soon"}, "happened_at"),
        ({"key": "a", "label": ">50K", "happened_at": 17}, "happened_at"),
        ({"key": "a", "label": ">50K", "happened_at": "0001-01-01T00:00:00+14:00"}, "happened_at"),
        ({"key": "a", "label": ">50K", "feedback_id": "=abc"}, "feedback_id"),
        ({"key": "a", "label": ">50K", "feedback_id": "x" * 101}, "feedback_id"),
    ],
)
def test_what_makes_no_sense_is_named_by_row_and_field(document: Any, field: str):
    with pytest.raises(InvalidInput) as caught:
        read(document)
    assert caught.value.where == {"row": 3, "field": field}
    assert caught.value.cure
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("document", [None, 3, "a", [], True])
def test_what_is_no_object_is_named_by_row(document: Any):
    with pytest.raises(InvalidInput) as caught:
        read(document)
    assert caught.value.where == {"row": 3}


def test_an_unknown_class_is_named_with_those_there_are():
    with pytest.raises(InvalidInput, match=r"'>50k', which is no class .* did you mean '>50K'\? The classes are"):
        read({"key": "a", "label": ">50k"})


@pytest.mark.parametrize(
    ("classes", "column", "said", "meant"),
    [
        (("<=50K", ">50K"), None, "<=50K.", "<=50K"),
        (("<=50K", ">50K"), None, "  >50K ", ">50K"),
        (("a", "a."), None, "a.", "a."),
        (("0", "1"), None, 1, "1"),
        (("0", "1"), None, 1.0, "1"),
        (("0", "1"), None, "1.0", "1"),
        (("0", "1"), None, False, "0"),
        (("0.0", "1.0"), None, "1", "1.0"),
        (("-1", "1"), None, "-1.0", "-1"),
        (("false", "true"), None, True, "true"),
        (("false", "true"), None, "TRUE", "true"),
        (("false", "true"), None, 0, "false"),
        (("false", "true"), Column("t", Kind.BOOLEAN, true=("ja",), false=("nein",)), "ja", "true"),
        (("false", "true"), Column("t", Kind.BOOLEAN, true=("0",), false=("1",)), "0", "true"),
        (("10", "2"), None, "010", "10"),
    ],
)
def test_a_class_may_be_spelled_as_data_spells_it(classes, column, said, meant):
    task = Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    truth = Truth(OutputSpec(task, classes), column)
    assert truth.read(said) == truth.read(said) == (meant, None)


def test_a_spelling_that_may_mean_two_classes_is_refused():
    truth = Truth(OutputSpec(Task.BINARY, ("1", "1.0")))
    assert truth.read("1.0") == ("1.0", None)
    with pytest.raises(RefusedTruth, match=r"may mean 1 or 1\.0"):
        truth.read("01")


def test_the_same_content_has_the_same_id_and_other_content_another():
    said: dict[str, Any] = {
        "prediction_id": "a/0",
        "key": None,
        "name": "label",
        "label": "yes",
        "value": None,
        "happened_at": None,
    }
    first = message(**said).feedback_id
    assert first == message(**said).feedback_id
    assert first.startswith(DERIVED)
    others = [
        {"prediction_id": None, "key": "a/0"},
        {"name": "sold", "label": None, "value": 1.0},
        {"label": "no"},
        {"label": None},
        {"happened_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ]
    assert len({message(**{**said, **other}).feedback_id for other in others} | {first}) == len(others) + 1


def test_another_key_leaves_no_trace_of_the_first():
    said = read({"key": "anna@example.org", "label": ">50K"})
    hidden = with_key(said, "h:1234")
    assert hidden == read({"key": "h:1234", "label": ">50K"})
    given = with_key(read({"key": "anna@example.org", "label": ">50K", "feedback_id": "m1"}), "h:1234")
    assert given.feedback_id == "m1"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(
    document=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), _JSON, max_size=6) | _JSON,
    truth=st.sampled_from([INCOME, PRICE]),
)
def test_any_json_is_a_message_or_a_refusal(document: Any, truth: Truth):
    try:
        said = read(document, truth)
    except InvalidInput as error:
        row = error.where["row"]
    else:
        row = 3
        assert (said.prediction_id is None) != (said.key is None)
        assert said.label is None or said.value is None
    assert row == 3
