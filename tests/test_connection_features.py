"""A project's views from a notebook: filled, asked, pushed to, joined; and what users get wrong."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.connection_features import Features
from mainspring.errors import (
    InvalidInput,
    MainspringError,
    SourceFormatError,
    UsageError,
    ValueParseError,
    WorkspaceBusy,
)
from mainspring.features.push import Pushed
from mainspring.project import load_project
from mainspring.testing.clock import FakeClock
from mainspring.testing.viewed import NOON, make_viewed, spending_rows, write_spending
from mainspring.workspace import Workspace

MINUTE = timedelta(minutes=1)
SPENT = [(1, NOON - 50 * MINUTE, 4.0), (2, NOON - 20 * MINUTE, 20.0), (1, NOON - 10 * MINUTE, 3.0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_viewed(tmp_path / "shop", SPENT)


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace(load_project(folder, {}).settings, FakeClock(NOON)) as workspace:
        yield workspace


@pytest.fixture
def features(workspace: Workspace, folder: Path) -> Features:
    return Features(workspace, load_project(folder, {}))


def spending(features: Features, *users: int) -> list[tuple[object, ...]]:
    """Amount, sum and count of the last hour."""
    found = features.get("spending", pl.DataFrame({"user": users}))
    return found.select("amount", "sum_amount_1h", "count_1h", "outcome").rows()


def test_what_was_materialised_is_what_is_answered(features: Features) -> None:
    (done,) = features.materialize("spending")
    assert (done.keys, done.written, done.removed, done.until) == (2, 2, 0, NOON)
    assert done.newest_event == NOON - 10 * MINUTE
    assert spending(features, 2, 1, 7) == [
        (20.0, 20.0, 1, "found"),
        (3.0, 7.0, 2, "found"),
        (0.0, 0.0, 0, "missing"),
    ]
    assert features.get("spending", {"user": 1}).get_column("event_time").to_list() == [NOON - 10 * MINUTE]


def test_a_view_over_a_view_is_made_of_its_rows(features: Features) -> None:
    features.materialize()
    assert features.get("habits", [{"user": 1}, {"user": 2}]).get_column("large").to_list() == [False, True]


def test_rows_that_are_pushed_are_answered_at_once_whatever_their_order(features: Features) -> None:
    features.materialize()
    late = spending_rows([(1, NOON - 5 * MINUTE, 1.5), (3, NOON, 11.0), (1, NOON - 55 * MINUTE, 8.0)])
    assert features.push("spending", late) == Pushed(3, 0)
    assert spending(features, 1, 3) == [(1.5, 16.5, 4, "found"), (11.0, 11.0, 1, "found")]
    assert features.get("habits", {"user": 3}).get_column("large").to_list() == [True]
    assert features.push("spending", late) == Pushed(0, 3)
    assert spending(features, 1) == [(1.5, 16.5, 4, "found")]


def test_an_id_of_the_sender_counts_once(features: Features) -> None:
    for amount in (2.0, 9.0):
        features.push("spending", spending_rows([(5, NOON, amount)]), ["order-1"])
    assert spending(features, 5) == [(2.0, 2.0, 1, "found")]


def test_what_comes_into_the_files_is_found_and_what_leaves_them_is_gone(features: Features, folder: Path) -> None:
    features.materialize()
    write_spending(folder, [*SPENT[1:], (4, NOON - MINUTE, None)])
    (done,) = features.materialize("spending")
    assert (done.written, done.removed, done.keys) == (2, 0, 3)
    write_spending(folder, SPENT[1:2])
    (done,) = features.materialize("spending")
    assert (done.written, done.removed, done.keys) == (0, 2, 1)
    assert spending(features, 1, 2) == [(0.0, 0.0, 0, "missing"), (20.0, 20.0, 1, "found")]


def test_a_row_of_the_future_counts_when_its_time_has_come(features: Features, workspace: Workspace) -> None:
    features.push("spending", spending_rows([(1, NOON + 5 * MINUTE, 100.0)]))
    assert spending(features, 1) == [(3.0, 7.0, 2, "found")]
    workspace.clock.sleep(5 * 60)
    (done,) = features.materialize("spending")
    assert (done.read, done.written) == (3, 1)
    assert spending(features, 1) == [(100.0, 107.0, 3, "found")]


def test_history_is_as_of_each_event_and_keeps_every_row(features: Features) -> None:
    events = pl.DataFrame({"user": [1, 9, 1], "t": [NOON, NOON, NOON - 30 * MINUTE], "x": ["a", "b", "c"]})
    found = features.history(events, ["spending.amount", "habits"], time="t")
    assert found.rows() == [
        (1, NOON, "a", 3.0, False),
        (9, NOON, "b", 0.0, None),
        (1, NOON - 30 * MINUTE, "c", 4.0, False),
    ]


def test_two_at_once_the_second_is_told(features: Features, workspace: Workspace) -> None:
    with (
        workspace.records.lease("features/spending", "the first", ttl=60),
        pytest.raises(WorkspaceBusy, match="first"),
    ):
        features.materialize("spending")
    assert features.freshness().get_column("state").to_list() == [None, None]


def test_a_flushed_store_is_filled_again(features: Features, workspace: Workspace) -> None:
    (first,) = features.materialize("spending")
    workspace.online.drop(first.id)
    with pytest.raises(UsageError, match="not in the online store; fill it"):
        spending(features, 1)
    assert features.materialize("spending")[0].written == 2
    assert spending(features, 1) == [(3.0, 7.0, 2, "found")]


def test_another_definition_is_filled_wholly_and_the_old_one_goes(
    features: Features, workspace: Workspace, folder: Path
) -> None:
    (first,) = features.materialize("spending")
    text = (folder / "model.py").read_text()
    (folder / "model.py").write_text(text.replace('over="1h"', 'over="2h"'))
    edited = Features(workspace, load_project(folder, {}))
    (second,) = edited.materialize("spending")
    assert second.id != first.id
    assert second.written == 2
    assert workspace.online.marked(first.id) is None
    assert [one.id for one in workspace.records.feature_views("spending")] == [second.id]


def test_a_store_that_was_filled_by_another_workspace_is_taken_over_by_hand_only(
    features: Features, workspace: Workspace
) -> None:
    (first,) = features.materialize("spending")
    workspace.online.mark(first.id, b"{}", fence=1_000)
    with pytest.raises(WorkspaceBusy):
        features.materialize("spending")
    assert features.materialize("spending", full=True)[0].keys == 2
    assert spending(features, 1) == [(3.0, 7.0, 2, "found")]


def test_a_source_that_is_gone_is_told_and_the_store_stays(features: Features, folder: Path) -> None:
    features.materialize("spending")
    (folder / "spending.csv").unlink()
    with pytest.raises(MainspringError, match=r"spending\.csv"):
        features.materialize("spending")
    state = features.newest()["spending"]
    assert (state.state, state.until) == ("failed", NOON)
    assert "spending.csv" in state.trouble
    assert spending(features, 2) == [(20.0, 20.0, 1, "found")]


def test_how_fresh_each_view_is(features: Features, workspace: Workspace) -> None:
    assert features.list().select("view", "feature", "keys").rows() == [
        ("habits", "large", None),
        ("spending", "amount", None),
        ("spending", "sum_amount_1h", None),
        ("spending", "count_1h", None),
    ]
    features.materialize("spending")
    workspace.clock.sleep(90)
    found = features.freshness()
    assert found.select("view", "age", "stale").rows() == [("habits", None, False), ("spending", 90.0, False)]
    assert features.list().filter(pl.col("view") == "spending").get_column("age").to_list() == [90.0] * 3


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda f: f.materialize("spendings"), UsageError, "did you mean 'spending'"),
        (lambda f: f.get("nothing", {"user": 1}), UsageError, "there is no feature view 'nothing'"),
        (lambda f: f.get("spending", {"usr": 1}), UsageError, "no key 'user'; did you mean 'usr'"),
        (lambda f: f.get("spending", {"user": "1"}), InvalidInput, "field 'user' is the text '1'"),
        (lambda f: f.push("habits", spending_rows([])), UsageError, "push to 'spending'; 'habits' follows"),
        (lambda f: f.push("spending", [1]), UsageError, "of type list; give a frame"),
        (lambda f: f.push("spending", spending_rows(SPENT), ["a"]), UsageError, "1 ids of 3 rows"),
        (lambda f: f.push("spending", pl.DataFrame({"user": [1]})), SourceFormatError, "needs the column 'at'"),
        (
            lambda f: f.push("spending", pl.DataFrame({"user": ["1"], "at": [NOON]})),
            ValueParseError,
            "the text '1'",
        ),
        (lambda f: f.history(pl.DataFrame({"user": [1]})), UsageError, "not known when the events happened"),
        (lambda f: f.history(pl.DataFrame({"user": [1]}), time="t"), UsageError, "takes no features of views"),
        (
            lambda f: f.history(pl.DataFrame({"user": [1]}), ["spending.amuont"], time="t"),
            UsageError,
            "did you mean 'amount'",
        ),
    ],
)
def test_what_is_wrong_is_named(features: Features, call: object, kind: type[MainspringError], said: str) -> None:
    features.materialize("spending")
    with pytest.raises(kind, match=said):
        call(features)  # type: ignore[operator]
