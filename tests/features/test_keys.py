"""Keys of requests and of columns are the same bytes where they name the same, and other bytes where not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import DataError, DeclarationError, InvalidInput
from mainspring.features.keys import EntityKeys, iso_time

AD = InputField("ad_id", Kind.INTEGER, missing=("", "?"))
SHOP = InputField("shop", Kind.ID, strip=True, missing=("none",))
DAY = InputField("day", Kind.TIME)
NEW = InputField("new", Kind.BOOLEAN, true=("yes", "1"), false=("no", "0"))

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
times = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
rows = st.tuples(integers, texts, times, st.booleans())


@given(st.lists(rows, max_size=8))
def test_different_keys_are_different_bytes_and_read_back(rows) -> None:
    plain = InputField("shop", Kind.TEXT)
    keys = EntityKeys([AD, plain, DAY, NEW])
    encoded = keys.of_columns([list(column) for column in zip(*rows, strict=True)] or [[]] * 4)
    assert len(set(encoded)) == len(set(rows))
    for (ad, shop, day, new), key in zip(rows, encoded, strict=True):
        assert key is not None
        assert keys.values_of(key) == (ad, shop, iso_time(day), new)


@given(rows)
def test_a_request_and_a_column_say_the_same(row) -> None:
    ad, shop, day, new = row
    keys = EntityKeys([AD, InputField("shop", Kind.CATEGORY), DAY, NEW])
    request = {"ad_id": ad, "shop": shop, "day": iso_time(day), "new": new, "hour": 3}
    assert keys.of_row(request) == keys.of_columns([[ad], [shop], [day], [new]])[0]


@pytest.mark.parametrize(
    ("field", "given", "typed"),
    [
        (AD, 17.0, 17),
        (AD, 2**53 + 1, 2**53 + 1),
        (AD, -(2**63), -(2**63)),
        (SHOP, " a\u2003", "a"),
        (NEW, "yes", True),
        (NEW, 0, False),
        (DAY, "1969-12-31T23:00:00-01:00", 0),
        (DAY, "1969-12-31", -86_400_000_000),
        (InputField("day", Kind.TIME, time_format="epoch_ms"), 1_500, 1_500_000),
        (InputField("day", Kind.TIME, time_format="%d.%m.%Y"), "31.01.2026", 1_769_817_600_000_000),
    ],
)
def test_every_way_to_write_a_value_is_one_key(field, given, typed) -> None:
    keys = EntityKeys([field])
    assert keys.of_row({field.name: given}) == keys.of_columns([[typed]])[0] is not None


@pytest.mark.parametrize(
    "row", [{}, {"ad_id": None, "shop": "a"}, {"ad_id": "?", "shop": "a"}, {"ad_id": 1, "shop": " none "}]
)
def test_a_missing_part_is_no_key(row) -> None:
    assert EntityKeys([AD, SHOP]).of_row(row) is None


def test_a_missing_part_of_a_column_is_no_key() -> None:
    keys = EntityKeys([AD, SHOP])
    found = keys.of_columns([[1, None, 3], ["a", "b", None]])
    assert found == [keys.of_row({"ad_id": 1, "shop": "a"}), None, None]
    assert keys.of_columns([[], []]) == []


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (AD, "17", "is the text '17', not a number"),
        (AD, 17.5, "not a whole number"),
        (AD, True, "is the boolean true, not a number"),
        (AD, 2**63, "beyond 64 bits"),
        (AD, 1e400, "not finite"),
        (AD, [1], "is an array"),
        (SHOP, 17, "is the number 17, not a text"),
        (SHOP, "\ud800", "is no text of Unicode"),
        (DAY, "soon", "not a time"),
        (DAY, 17, "not a time"),
        (NEW, "perhaps", "not a boolean"),
    ],
)
def test_another_type_is_named(field, value, problem) -> None:
    keys = EntityKeys([InputField("first", Kind.INTEGER), field])
    with pytest.raises(InvalidInput, match=rf"row 4: field '{field.name}' .*{problem}.*; ") as caught:
        keys.of_row({"first": 1, field.name: value}, 4)
    assert caught.value.where == {"row": 4, "field": field.name}


@pytest.mark.parametrize(
    ("field", "column"),
    [(AD, [1, "17"]), (AD, [1.0]), (AD, [True]), (SHOP, ["a", 17]), (DAY, [datetime(2026, 1, 1, tzinfo=UTC)])],
)
def test_a_column_of_another_type_is_named(field, column) -> None:
    with pytest.raises(DataError, match=rf"the key '{field.name}' .* kind {field.kind}.*one type"):
        EntityKeys([field]).of_columns([column])


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.IMAGE])
def test_a_kind_that_names_nothing_is_refused(kind) -> None:
    with pytest.raises(DeclarationError, match=rf"'ad_id' is of the kind {kind}.*whole numbers, text or times"):
        EntityKeys([InputField("ad_id", kind)])
