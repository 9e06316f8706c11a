"""A key of whole numbers as texts: `17` and `"17"` name one entity in training, store and request; `017` none."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.feature_view import FeatureView
from mainspring.domain.model import Model
from mainspring.domain.numerals import is_misspelt, is_numeral
from mainspring.domain.release import InputField
from mainspring.domain.schema import Column, Kind, Schema
from mainspring.domain.source import Source
from mainspring.errors import DataError, InvalidInput, ValidationFailed
from mainspring.features.assembling import Assembler
from mainspring.features.definition import Definition, define
from mainspring.features.history import history
from mainspring.features.joining import Joined, join
from mainspring.features.keys import EntityKeys
from mainspring.features.newest import known_rows
from mainspring.features.push import typed_rows
from mainspring.loop.lifecycle.view_inputs import view_input
from mainspring.testing.offline import OfflineWorld

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIEW = FeatureView("visits", source=Source("visits.csv"), key="user_id", time="at", columns=["pages"])
MODEL = Model("shop", source=Source("rows.csv", time="t"), target="y", features=[VIEW["pages"]])
TEXT = Schema((Column("user_id", Kind.ID), Column("y", Kind.BOOLEAN), Column("t", Kind.TIME)))
FIELD = InputField("user_id", Kind.ID, numerals=True)


def visits(world: OfflineWorld, *users: object) -> None:
    rows = {"user_id": [str(user) for user in users], "at": "2026-03-01", "pages": range(1, len(users) + 1)}
    world.write("visits.csv", pl.DataFrame(rows))


def defined(kind: Kind = Kind.ID) -> Definition:
    kinds = {"user_id": kind, "at": Kind.TIME, "pages": Kind.INTEGER}
    return define(VIEW, kinds, {}, {"user_id"})


texts = st.text() | st.from_regex(r"[ +-]?0?[0-9]{1,3}(\.0?)?", fullmatch=True)


@given(st.integers(1 - 10**24, 10**24 - 1))
def test_a_number_and_its_text_are_one_name(number: int) -> None:
    keys = EntityKeys([FIELD])
    assert is_numeral(str(number))
    assert keys.of_row({"user_id": number}) == keys.of_row({"user_id": str(number)})
    assert keys.of_row({"user_id": number}) == keys.of_columns([[str(number)]])[0]


@given(texts, st.integers(-999, 999))
def test_no_text_but_its_own_is_taken_for_a_number(text: str, number: int) -> None:
    """Whatever is sent is the very text, or is refused: never another entity's."""
    keys = EntityKeys([FIELD])
    try:
        found = keys.of_row({"user_id": text})
    except InvalidInput:
        return
    assert (found == keys.of_row({"user_id": number})) == (text == str(number))
    assert is_numeral(text) or not is_misspelt(text)


@given(texts)
def test_the_patterns_of_frames_say_the_same(text: str) -> None:
    from mainspring.domain.numerals import OTHERWISE, PLAIN

    frame = pl.Series([text])
    plain, odd = frame.str.contains(PLAIN)[0], frame.str.contains(OTHERWISE)[0]
    assert plain == is_numeral(text)
    assert (odd and not plain) == is_misspelt(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("017", r"is the text '017', .*; send 17"),
        (" 17", r"send 17"),
        ("17.0", r"send 17"),
        ("0" * 5_000, "without zeros"),
        (10**24, "beyond 64 bits"),
        (17.5, "not a whole number"),
        (1e16, "digits may be lost; send it as a JSON string"),
        (True, "not a number"),
        ([17], "an array"),
    ],
)
def test_what_only_looks_like_a_key_is_refused_with_the_cure(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        EntityKeys([FIELD]).of_row({"user_id": value})
    assert EntityKeys([FIELD]).of_row({"user_id": "anonymous"}) is not None  # it is nobody's, and says so


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.integers(-50, 50), min_size=1, max_size=5), st.lists(st.integers(-55, 55), min_size=1, max_size=8)
)
def test_training_store_and_request_agree(users: set[int], asked: list[int]) -> None:
    """Rows of training as numbers, floats or texts, vectors and requests: the same value for the same entity."""
    definition, kept = defined(), sorted(users)
    moment = pl.Series([NOON] * len(kept), dtype=pl.Datetime("us", "UTC"))
    rows = pl.DataFrame({"user_id": [str(user) for user in kept], "__event_time": moment, "__created_time": moment,
                         "__order": range(len(kept)), "pages": range(len(kept))}).lazy()  # fmt: skip
    until = int(NOON.timestamp() * 1_000_000)
    assembler = Assembler(definition)
    store = {}
    for keys, vectors in assembler.vectors(known_rows(definition, rows, until).collect(), until):
        store |= dict(zip(keys, vectors, strict=True))
    expected = [kept.index(user) if user in users else None for user in asked]
    for given_as in (pl.Int64, pl.Int16, pl.Float64, pl.String, pl.Categorical):
        cast = pl.Series(asked).cast(pl.String).cast(given_as)
        events = pl.DataFrame({"user_id": cast, "t": [NOON] * len(asked)})
        found = join(events, [Joined(definition, rows, ("pages",))], time="t")
        assert found["visits.pages"].to_list() == expected
    for user, pages in zip(asked, expected, strict=True):
        for sent in (user, float(user), str(user)):
            key = assembler.keys.of_row({"user_id": sent})
            assert key is not None
            assert assembler.codec.read(store.get(key), until)[1][0] == pages


def test_a_text_that_is_the_same_number_is_no_training_row_s_key(world: OfflineWorld) -> None:
    visits(world, 17, 18)
    offline = world.offline(TEXT)
    events = pl.DataFrame({"user_id": ["18", "nobody", "017"], "t": [NOON] * 3})
    with pytest.raises(DataError, match=r"'user_id' is '017' in row 3, .*numerals = false.*schemas/visits\.toml"):
        history(events, [VIEW["pages"]], offline, time="t")
    assert history(events.head(2), [VIEW["pages"]], offline, time="t")["visits.pages"].to_list() == [2, None]


@pytest.mark.parametrize(
    ("users", "numerals"),
    [([17, 18, -3, 0], True), (["17", "18", ""], True), (["017", "18"], False), (["u17", "18"], False)],
)
def test_the_schema_says_whether_all_are_plain(world: OfflineWorld, users: list[object], numerals: bool) -> None:
    visits(world, *users)
    column = world.offline(TEXT).schema(VIEW)["user_id"]
    assert (column.kind, column.numerals) == (Kind.ID, numerals)
    definition = world.offline(TEXT).definition(VIEW)
    assert definition.keys[0].numerals is numerals
    keys = EntityKeys([InputField("user_id", Kind.ID, numerals=numerals)])
    if not numerals:
        with pytest.raises(InvalidInput, match="send the id as a JSON string"):
            keys.of_row({"user_id": 17})


def test_every_row_is_looked_at_before_that_is_said(world: OfflineWorld) -> None:
    users = [*map(str, range(100_000)), "0017"]  # more than are looked at for the kinds
    world.write(
        "visits.parquet",
        pl.DataFrame({"user_id": users}).with_columns(at=pl.lit("2026-03-01"), pages=pl.lit(1)),
    )
    view = FeatureView("visits", source=Source("visits.parquet"), key="user_id", time="at")
    assert not world.offline(TEXT).schema(view)["user_id"].numerals


def test_what_was_said_is_held_to_when_rows_come(world: OfflineWorld) -> None:
    visits(world, 17, 18)
    schema = world.offline(TEXT).schema(VIEW)
    visits(world, 17, "018")
    with pytest.raises(ValidationFailed, match=r"'user_id': 1 of 2 rows .* e\.g\. '018'.*first visits\.csv row 2"):
        world.offline(TEXT).check(VIEW)
    at = pl.Series([NOON], dtype=pl.Datetime("us", "UTC"))
    pushed = pl.DataFrame({"user_id": ["018"], "at": at})
    with pytest.raises(ValidationFailed, match="numerals = false"):
        typed_rows(pushed, schema, ["user_id", "at"], "visits")
    numbers = typed_rows(pushed.with_columns(user_id=pl.lit(18)), schema, ["user_id", "at"], "visits")
    assert numbers["user_id"].to_list() == ["18"]


def test_what_takes_numbers_is_another_definition() -> None:
    kinds = {"user_id": Kind.ID, "at": Kind.TIME, "pages": Kind.INTEGER}
    assert define(VIEW, kinds, {}).id != defined().id
    over = FeatureView("over", source=VIEW, key="user_id")
    assert define(over, kinds, {}).id != define(over, kinds, {}, {"user_id"}).id


@pytest.mark.parametrize("kind", [Kind.ID, Kind.INTEGER, Kind.CATEGORY])
def test_a_release_asks_for_keys_as_the_view_has_them(world: OfflineWorld, kind: Kind) -> None:
    visits(world, 17, 18)
    offline = world.offline(TEXT)
    schema = Schema((Column("user_id", kind, missing=("?",)), *TEXT.columns[1:]))
    sealed = view_input(offline, offline.definition(VIEW), VIEW, MODEL, schema)
    (key,) = sealed.keys
    assert (key.kind, key.numerals, key.missing) == (Kind.ID, True, ("?",))
    assert sealed.rows[0].numerals
    stored = Assembler(offline.definition(VIEW)).keys.of_columns([["17"]])[0]
    assert EntityKeys(sealed.keys).of_row({"user_id": 17}) == stored


def test_a_release_of_whole_numbers_is_as_before(world: OfflineWorld) -> None:
    visits(world, 17, 18, 17)
    schema = Schema((Column("user_id", Kind.INTEGER), *TEXT.columns[1:]))
    offline = world.offline(schema)
    (key,) = view_input(offline, offline.definition(VIEW), VIEW, MODEL, schema).keys
    assert (key.kind, key.numerals) == (Kind.INTEGER, False)
    with pytest.raises(InvalidInput, match="without quotes"):
        EntityKeys([key]).of_row({"user_id": "17"})
