"""What production has taught becomes rows: each once, as it is known now, and the same for ever."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.data.labelled_rows import ANSWERED, read_rows
from mainspring.data.labels import label_frame
from mainspring.data.schema_file import read_schema
from mainspring.domain.feedback import message
from mainspring.domain.prediction_log import Role, labels_table
from mainspring.domain.release import ReleaseRef
from mainspring.domain.schema import Column, Kind, Personal
from mainspring.loop.lifecycle.labelled import Labelled, take_labelled
from mainspring.loop.lifecycle.labelled_answers import Shape, why_unusable
from mainspring.loop.lifecycle.resolution import resolve
from mainspring.project import load_project
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.production import store_answers
from mainspring.testing.taught import START, answer, tell, visits
from mainspring.workspace import Workspace

HOUR = timedelta(hours=1)


class Taught:
    """A released shop in production."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.workspace = workspace
        self.project = load_project(folder, {})
        schema = read_schema(self.project.schema_path)
        self.shape = Shape(schema, resolve(self.project.model, schema))
        self.source = workspace.records.snapshots()[-1].id

    def take(self, until: datetime | None = None) -> Labelled:
        return take_labelled(self.workspace, "shop", self.shape, until=until)

    def rows(self) -> pl.DataFrame:
        """The labelled rows of a snapshot that is taken now."""
        snapshot = self.take().snapshot
        assert snapshot is not None
        return self.read(snapshot.id)

    def read(self, snapshot: str) -> pl.DataFrame:
        rows = read_rows(self.workspace.snapshots, [self.source, snapshot], "id")
        return rows.filter(pl.col(ANSWERED).is_not_null())

    def say(self, key: str, label: str | None, hours: float, *, by_id: bool = False) -> None:
        said = message(
            prediction_id=f"{key}/0" if by_id else None,
            key=None if by_id else key,
            name="label",
            label=label,
            value=None,
            happened_at=None,
            feedback_id=None,
        )
        frame = label_frame([said], START + hours * HOUR)
        self.workspace.tables.record(labels_table("shop"), frame, partition="day", offsets={})


@pytest.fixture
def taught(released_shop: Path) -> Iterator[Taught]:
    with Workspace(load_project(released_shop, {}).settings) as workspace:
        yield Taught(released_shop, workspace)


def test_answers_whose_truth_is_known_are_rows_of_the_source(taught: Taught) -> None:
    asked = visits(40)
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids[:25], asked.truth[:25], START + HOUR)
    rows = taught.rows()
    assert rows.columns == ["id", "age", "spend", "city", "bought", "__row", ANSWERED]
    assert rows.get_column("id").to_list() == asked.ids[:25]
    assert rows.get_column("bought").to_list() == asked.truth[:25]
    assert rows.select("age", "spend", "city").equals(asked.rows[:25].cast({"age": pl.Int64}))
    assert rows.get_column(ANSWERED).to_list() == asked.at[:25]
    assert rows.get_column("__row").to_list() == list(range(1500, 1525))


def test_without_answers_or_labels_there_is_nothing_to_learn_from(taught: Taught) -> None:
    assert taught.take() == Labelled(None)
    asked = visits(10)
    manifest = answer(taught.workspace, asked)
    assert taught.take() == Labelled(None)
    tell(taught.workspace, manifest, ["somebody-else"], ["yes"], START)
    assert taught.take() == Labelled(None)


def test_the_same_rows_are_the_same_snapshot_and_more_rows_another_one(taught: Taught) -> None:
    asked = visits(30)
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids[:10], asked.truth[:10], START + HOUR)
    first = taught.take().snapshot
    assert first is not None
    assert taught.take().snapshot == first
    tell(taught.workspace, manifest, asked.ids[10:], asked.truth[10:], START + 2 * HOUR)
    second = taught.take().snapshot
    assert second is not None
    assert (second.table, second.version, second.rows) == (first.table, first.version + 1, 30)
    assert taught.workspace.tables.scan(second.table).collect().height == 30  # nothing was written twice
    assert taught.read(first.id).get_column("id").to_list() == asked.ids[:10]  # as it was


def test_a_corrected_label_holds_from_then_on_and_a_withdrawn_one_no_more(taught: Taught) -> None:
    asked = visits(3)
    answer(taught.workspace, asked)
    for key in asked.ids:
        taught.say(key, "yes", 1)
    before = taught.take().snapshot
    assert before is not None
    taught.say(asked.ids[0], "no", 2)
    taught.say(asked.ids[1], None, 2)
    after = taught.rows()
    assert dict(zip(after["id"], after["bought"], strict=True)) == {asked.ids[0]: "no", asked.ids[2]: "yes"}
    assert taught.read(before.id).get_column("bought").to_list() == ["yes"] * 3
    taught.say(asked.ids[0], "yes", 3)
    taught.say(asked.ids[1], "yes", 3)
    assert taught.take().snapshot == before  # what is known is what was known then


def test_a_row_that_the_source_has_is_left_out(taught: Taught) -> None:
    asked = replace(visits(3), ids=["c000007", "c999999", "c000008"])
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids, asked.truth, START)
    assert taught.rows().get_column("id").to_list() == ["c999999"]


def test_of_several_answers_about_one_key_one_is_learnt_from(taught: Taught) -> None:
    """The newest that was given before the truth was known; what came later may have been asked because of it."""
    asked = visits(4, every=HOUR)
    asked = replace(asked, ids=["a", "b", "c", "d"])
    manifest = answer(taught.workspace, asked)
    log = taught.workspace.tables
    one = pl.lit("one").alias("key")
    log.rewrite("predictions/shop", "2026-03-01", lambda rows: rows.with_columns(one).collect())
    taught.say("one", "yes", 1.5)
    rows = taught.rows()
    assert rows.get_column(ANSWERED).to_list() == [asked.at[1]]
    later = replace(visits(1, start=START + 6 * HOUR, first=90), ids=["e"])
    store_answers(log, manifest, later.rows, pl.DataFrame({"a": [0.5], "b": [0.5]}).to_numpy(), later.at, ["one"])
    assert taught.rows().equals(rows)  # asked after the truth was known


def test_shadows_are_not_learnt_from_twice(taught: Taught) -> None:
    asked = visits(5)
    manifest = answer(taught.workspace, asked)
    outputs = pl.DataFrame({"no": [0.5] * 5, "yes": [0.5] * 5}).to_numpy()
    store_answers(taught.workspace.tables, manifest, asked.rows, outputs, asked.at, asked.ids, role=Role.SHADOW)
    tell(taught.workspace, manifest, asked.ids, asked.truth, START)
    assert taught.rows().height == 5


def test_a_label_that_comes_before_its_answer_is_learnt_from_when_both_are_there(taught: Taught) -> None:
    first, late = visits(2), visits(1, first=50, start=START + HOUR)
    manifest = answer(taught.workspace, first)
    tell(taught.workspace, manifest, [*first.ids, *late.ids], [*first.truth, *late.truth], START)
    assert taught.rows().height == 2
    answer(taught.workspace, late)
    assert taught.rows().get_column("id").to_list() == [*first.ids, *late.ids]


def test_answers_are_learnt_from_when_they_are_old_enough_for_any_truth_to_be_in(taught: Taught) -> None:
    """A click is known at once, that there was none after a day: the young ones that are known are clicks."""
    asked = visits(30, every=HOUR)
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids, asked.truth, START)
    day = taught.take(until=asked.at[10]).snapshot
    assert day is not None
    assert taught.read(day.id).get_column("id").to_list() == asked.ids[:10]
    assert taught.take(until=asked.at[10]).snapshot == day
    more = taught.take(until=asked.at[25]).snapshot  # with nothing new in the logs
    assert more is not None
    assert taught.read(more.id).get_column("id").to_list() == asked.ids[:25]
    assert taught.take(until=asked.at[5]).snapshot == more  # a clock that was set back makes nothing unknown
    assert taught.rows().get_column("id").to_list() == asked.ids


def test_answers_that_were_dropped_from_the_log_stay_learnt(taught: Taught) -> None:
    asked = visits(3)
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids, asked.truth, START)
    before = taught.take().snapshot
    more = visits(2, start=START + timedelta(days=40), first=10)
    answer(taught.workspace, more)
    tell(taught.workspace, manifest, more.ids, more.truth, more.end)
    for table in ("predictions/shop", "labels/shop"):
        assert taught.workspace.tables.drop(table, before="2026-04-01") == 1
    assert before is not None
    assert taught.rows().get_column("id").to_list() == [*asked.ids, *more.ids]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "age", "kind": Kind.NUMBER}, "'age' is of kind integer in shop@1, and of kind number"),
        ({"name": "colour", "kind": Kind.CATEGORY}, "'colour' is no input of shop@1"),
    ],
)
def test_answers_that_lack_a_feature_are_left_out_and_counted(
    taught: Taught, changed: dict[str, str], told: str
) -> None:
    asked = visits(4)
    manifest = answer(taught.workspace, asked)
    tell(taught.workspace, manifest, asked.ids, asked.truth, START)
    column = Column(changed["name"], Kind(changed["kind"]))
    schema = taught.shape.schema
    columns = [column if one.name == column.name else one for one in schema]
    if column.name not in schema:
        columns.append(column)
    model = replace(taught.shape.model, features=tuple(dict.fromkeys([*taught.shape.model.features, column.name])))
    taught.shape = Shape(replace(schema, columns=tuple(columns)), model)
    found = taught.take()
    assert found.snapshot is None
    (finding,) = found.findings
    assert finding.rows == 4
    assert told in finding.message


@pytest.mark.parametrize("tag", list(Personal))
def test_a_personal_feature_is_not_learnt_from_what_is_left_of_it(taught: Taught, tag: Personal) -> None:
    catalogue = taught.workspace.catalogue
    manifest = catalogue.manifest(catalogue.find(ReleaseRef("shop", 1)))
    stored = {one.name: (f"input_{one.name}", "string") for one in manifest.inputs}
    assert why_unusable(manifest, taught.shape, stored) is None
    inputs = tuple(replace(one, personal=tag) if one.name == "city" else one for one in manifest.inputs)
    reason = why_unusable(replace(manifest, inputs=inputs), taught.shape, stored)
    assert reason is not None
    assert "the feature 'city' is" in reason
    reason = why_unusable(replace(manifest, key_personal=tag), taught.shape, stored)
    assert reason is not None
    assert "nobody can tell which rows the source has already" in reason


MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 7),  # whom
        st.sampled_from(["yes", "no", None]),
        st.booleans(),  # by the prediction's id, else by key
        st.booleans(),  # whether a snapshot is taken thereafter
    ),
    max_size=12,
)


@given(said=MESSAGES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_that_grew_says_the_same_as_one_made_at_once(
    taught: Taught, tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, str | None, bool, bool]]
) -> None:
    """Whatever was said, corrected and withdrawn in which order, and whenever a snapshot was taken in between."""
    place = tmp_path_factory.mktemp("tables")
    taught.workspace.__dict__["tables"] = DeltaTables(str(place))
    taught.workspace.__dict__.pop("snapshots", None)
    first, rest = visits(4), visits(4, first=4, start=START + HOUR, seed=3)
    answer(taught.workspace, first)
    for number, (whom, label, by_id, now) in enumerate(said):
        if number == len(said) // 2:
            answer(taught.workspace, rest)
        taught.say(f"v{whom:06d}", label, 2 + number, by_id=by_id)
        if now:
            taught.take()
    grown = taught.take().snapshot
    if grown is None:
        at_once = None
    else:
        folder = place / grown.table
        folder.rename(place / "grown")
        at_once = taught.take().snapshot
        assert at_once is not None
    assert (grown and grown.id) == (at_once and at_once.id)
