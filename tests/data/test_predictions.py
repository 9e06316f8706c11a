"""The join of answers and truth against a plain reading of the law, over real tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.data.labels import DTYPES, LABEL_SCHEMA, label_frame
from mainspring.data.predictions import REPEATED_WITHIN, predictions
from mainspring.domain.feedback import DERIVED, message
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.stores.tables_delta import DeltaTables

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEMA = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()} | {"input_age": pl.Float64()}


@dataclass(frozen=True)
class Said:
    """A message as it was received."""

    hour: int
    about: str  # `id:a/0` or `key:k`
    name: str = "label"
    label: str | None = None
    value: float | None = None
    feedback_id: str | None = None

    def row(self) -> dict[str, Any]:
        kind, _, what = self.about.partition(":")
        at = T0 + self.hour * HOUR
        said = message(
            prediction_id=what if kind == "id" else None,
            key=what if kind == "key" else None,
            name=self.name,
            label=self.label,
            value=self.value,
            happened_at=None,
            feedback_id=self.feedback_id,
        )
        return label_frame([said], at).row(0, named=True)


def answer(
    place: str,
    hour: float = 0,
    *,
    release: int = 1,
    role: str = "champion",
    key: str | None = None,
    age: float = 1.0,
) -> dict[str, Any]:
    at = T0 + hour * HOUR
    request, _, row = place.partition("/")
    return {
        "day": at.date(),
        "id": place,
        "request_id": request,
        "row": int(row),
        "at": at,
        "release": release,
        "role": role,
        "arm": None,
        "key": key,
        "latency_us": 900,
        "prediction": "yes",
        "value": 0.75,
        "outputs": [0.25, 0.75],
        "input_age": age,
    }


class Book:
    """A model's two tables."""

    def __init__(self, root: str) -> None:
        self.tables = DeltaTables(root)

    def write(self, answers: list[dict[str, Any]], said: list[Said]) -> "Book":
        if answers:
            self._add("predictions/shop", pl.DataFrame(answers, schema=SCHEMA))
        if said:
            self._add("labels/shop", pl.DataFrame([s.row() for s in said], schema=LABEL_SCHEMA))
        return self

    def _add(self, table: str, frame: pl.DataFrame) -> None:
        self.tables.record(table, frame, partition="day", offsets={})

    def read(self, **options: Any) -> dict[tuple[str, int], dict[str, Any]]:
        found = predictions(self.tables, "shop", **options).collect().to_dicts()
        named = {(row["id"], row["release"]): row for row in found}
        assert len(named) == len(found), "a prediction came twice"
        return named


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(str(tmp_path / "tables"))


def test_nothing_logged_is_an_empty_frame_with_every_column(book):
    found = predictions(book.tables, "shop").collect()
    assert found.height == 0
    assert found.columns[: len(PREDICTION_COLUMNS)] == list(PREDICTION_COLUMNS)
    assert {"label", "label_value", "label_at", "label_delay"} <= set(found.columns)


def test_labels_and_outcomes_stand_beside_their_predictions(book):
    book.write(
        [answer("a/0"), answer("a/1"), answer("b/0", 1, key="k")],
        [
            Said(2, "id:a/1", label="yes"),
            Said(3, "key:k", label="no"),
            Said(4, "id:a/0", "revenue", value=2.5),
            Said(4, "key:k", "returned", value=1.0),
        ],
    )
    found = book.read()
    assert [found[p, 1]["label"] for p in ("a/0", "a/1", "b/0")] == [None, "yes", "no"]
    assert [found[p, 1]["outcome_revenue"] for p in ("a/0", "a/1", "b/0")] == [2.5, None, None]
    assert [found[p, 1]["outcome_returned"] for p in ("a/0", "a/1", "b/0")] == [None, None, 1.0]
    assert [found[p, 1]["label_delay"] for p in ("a/0", "a/1", "b/0")] == [None, 2 * HOUR, 2 * HOUR]
    assert found["a/0", 1]["label_at"] is None
    assert found["a/1", 1]["input_age"] == 1.0


def test_truth_is_as_it_stood_at_any_time(book):
    book.write(
        [answer("a/0")],
        [Said(1, "id:a/0", label="yes"), Said(5, "id:a/0", label="no"), Said(9, "id:a/0", label="yes")],
    )
    seen = {hour: book.read(as_of=T0 + hour * HOUR)["a/0", 1] for hour in range(12)}
    assert [seen[hour]["label"] for hour in range(12)] == [None] + ["yes"] * 4 + ["no"] * 4 + ["yes"] * 3
    assert [seen[hour]["label_at"] for hour in (4, 8, 11)] == [T0 + hour * HOUR for hour in (1, 5, 9)]


def test_what_comes_later_changes_nothing_of_what_was_known(book):
    book.write([answer("a/0", key="k")], [Said(1, "id:a/0", label="yes")])
    before = book.read(as_of=T0 + 2 * HOUR)
    book.write(
        [], [Said(3, "id:a/0", label="no"), Said(4, "key:k", label="no"), Said(5, "id:a/0", "sold", value=1)]
    )
    after = book.read(as_of=T0 + 2 * HOUR)
    assert after == before
    assert book.read()["a/0", 1]["label"] == "no"


def test_saying_the_same_again_changes_nothing(book):
    book.write([answer("a/0")], [Said(1, "id:a/0", label="yes")])
    once = book.read()
    book.write([], [Said(7, "id:a/0", label="yes"), Said(9, "id:a/0", label="yes")])
    assert book.read() == once


def test_an_id_of_the_senders_counts_once_and_first(book):
    book.write(
        [answer("a/0")],
        [
            Said(1, "id:a/0", label="yes", feedback_id="m1"),
            Said(2, "id:a/0", label="no", feedback_id="m2"),
            Said(3, "id:a/0", label="yes", feedback_id="m1"),  # sent again, late
        ],
    )
    assert book.read()["a/0", 1]["label"] == "no"


def test_a_label_may_come_before_its_prediction_and_before_the_table(book):
    book.write([], [Said(-30, "id:a/0", label="yes"), Said(-900, "key:k", "revenue", value=3.0)])
    assert book.read() == {}
    book.write([answer("a/0", key="k")], [])
    found = book.read(since=T0, until=T0 + HOUR)["a/0", 1]
    assert (found["label"], found["outcome_revenue"]) == ("yes", 3.0)
    assert found["label_delay"] == -30 * HOUR


def test_an_id_beats_a_key_and_a_key_holds_for_all_its_predictions(book):
    book.write(
        [answer("a/0", key="k"), answer("b/0", 1, key="k"), answer("c/0", 1, key="other")],
        [Said(2, "id:a/0", label="yes"), Said(5, "key:k", label="no")],
    )
    assert {place: row["label"] for (place, _), row in book.read().items()} == {
        "a/0": "yes",
        "b/0": "no",
        "c/0": None,
    }


def test_a_withdrawn_label_is_none_and_may_be_said_anew(book):
    book.write(
        [answer("a/0", key="k")],
        [Said(1, "id:a/0", label="yes"), Said(2, "key:k", label="no"), Said(3, "id:a/0")],
    )
    found = book.read()["a/0", 1]
    assert (found["label"], found["label_at"], found["label_delay"]) == (None, None, None)
    book.write([], [Said(4, "id:a/0", label="yes")])
    found = book.read()["a/0", 1]
    assert (found["label"], found["label_at"]) == ("yes", T0 + 4 * HOUR)


def test_a_regressions_truth_is_a_number(book):
    book.write([answer("a/0")], [Said(1, "id:a/0", value=12.5)])
    found = book.read()["a/0", 1]
    assert (found["label"], found["label_value"], found["label_delay"]) == (None, 12.5, HOUR)


def test_a_request_id_used_twice_gives_one_row_in_every_window(book):
    midnight = 12.0  # hours after T0
    book.write([answer("a/0", midnight - 0.01, age=1.0), answer("b/0", 3)], [Said(1, "id:a/0", label="yes")])
    book.write([answer("a/0", midnight + 0.01, age=2.0), answer("b/0", 3), answer("a/0", 90.0, age=3.0)], [])
    at_midnight, far = T0 + midnight * HOUR, T0 + 80 * HOUR
    assert book.read(until=at_midnight)["a/0", 1]["input_age"] == 1.0
    assert book.read(since=at_midnight, until=far) == {}
    assert book.read(until=far)["a/0", 1]["input_age"] == 1.0
    # Days later it is another prediction: a client that never changes its ids is not one prediction for ever.
    assert book.read(since=far)["a/0", 1]["input_age"] == 3.0
    assert timedelta(days=3) > REPEATED_WITHIN


def test_shadows_are_shown_when_asked_for_and_share_the_truth(book):
    book.write(
        [answer("a/0"), answer("a/0", release=2, role="shadow"), answer("b/0", release=2, role="canary")],
        [Said(1, "id:a/0", label="yes")],
    )
    assert set(book.read()) == {("a/0", 1), ("b/0", 2)}
    assert book.read(role="shadow")["a/0", 2]["label"] == "yes"
    assert set(book.read(release=2)) == {("b/0", 2)}
    assert set(book.read(role="canary")) == {("b/0", 2)}


def test_a_window_holds_its_first_moment_and_not_its_last(book):
    book.write([answer(f"r{hour}/0", hour) for hour in range(48)], [])
    found = book.read(since=T0 + 6 * HOUR, until=(T0 + 30 * HOUR).replace(tzinfo=None))
    assert sorted(row["at"] for row in found.values()) == [T0 + hour * HOUR for hour in range(6, 30)]


def what_it_is(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["feedback_id"], row["prediction_id"], row["key"], row["name"]


def naive(answers: list[dict[str, Any]], said: list[Said], as_of: datetime) -> dict[Any, dict[str, Any]]:
    """The law read sentence by sentence."""
    known = sorted((s.row() for s in said), key=lambda m: (m["at"], m["feedback_id"]))
    known = [m for m in known if m["at"] <= as_of]
    counted: list[dict[str, Any]] = []
    for m in known:
        if m["feedback_id"].startswith(DERIVED) or what_it_is(m) not in map(what_it_is, counted):
            counted.append(m)
    result = {}
    for a in answers:
        truth: dict[str, Any] = {}
        for name in ("label", "sold"):
            by_id = [m for m in counted if m["name"] == name and m["prediction_id"] == a["id"]]
            by_key = [m for m in counted if m["name"] == name and m["key"] is not None and m["key"] == a["key"]]
            holds = (by_id or by_key or [None])[-1]
            if holds is not None:
                truth[name] = (holds["label"], holds["value"])
        result[a["id"], a["release"]] = truth
    return result


_ABOUT = st.sampled_from(["id:a/0", "id:b/0", "key:k", "key:l", "id:z/9"])
_SAID = st.one_of(
    st.builds(
        Said,
        st.integers(0, 6),
        _ABOUT,
        label=st.sampled_from(["yes", "no", None]),
        feedback_id=st.none(),
    ),
    st.builds(Said, st.integers(0, 6), _ABOUT, st.just("sold"), value=st.sampled_from([0.0, 1.5, None])),
)
_CONTENT = st.sampled_from(["yes", "no", None])


@st.composite
def _messages(draw: st.DrawFn) -> list[Said]:
    said = draw(st.lists(_SAID, max_size=12))
    # Each id of a sender's is used at distinct moments: which of two at once came first nobody can tell.
    hours = draw(st.lists(st.integers(0, 6), unique=True, max_size=4))
    return said + [
        Said(hour, draw(_ABOUT), label=draw(_CONTENT), feedback_id=draw(st.sampled_from(["m1", "m2"])))
        for hour in hours
    ]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=_messages(), hour=st.integers(0, 7))
def test_the_join_is_the_law(said: list[Said], hour: int, tmp_path_factory) -> None:
    answers = [answer("a/0", key="k"), answer("b/0", key="k"), answer("c/0", key="l"), answer("d/0")]
    book = Book(str(tmp_path_factory.mktemp("tables"))).write(answers, said)
    as_of = T0 + hour * HOUR
    found = book.read(as_of=as_of)
    for place, truth in naive(answers, said, as_of).items():
        row = found[place]
        assert row["label"] == truth.get("label", (None, None))[0]
        assert row.get("outcome_sold") == truth.get("sold", (None, None))[1]
    again = Book(str(tmp_path_factory.mktemp("tables"))).write(answers, [*said, *reversed(said)])
    assert again.read(as_of=as_of) == found


def test_rows_of_one_request_hold_in_their_order():
    def says(label: str) -> Any:
        return message(prediction_id="a/0", key=None, name="label", label=label, value=None, happened_at=None)

    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    frame = label_frame([says("yes"), says("no"), says("yes")], midnight)
    assert frame.get_column("at").to_list()[-1] == midnight
    assert frame.get_column("at").is_sorted()
    assert frame.get_column("at").n_unique() == 3
    assert [str(day) for day in frame.get_column("day")] == ["2026-03-01", "2026-03-01", "2026-03-02"]
