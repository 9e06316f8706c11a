"""`mainspring features` on a small project."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.testing.viewed import NOON, make_viewed

SPENT = [(1, NOON, 4.0), (2, NOON, None)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = make_viewed(tmp_path / "shop", SPENT)
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert call(["features", *arguments, "--json"], {}) == code
        found: dict[str, Any] = json.loads(capfd.readouterr().out)
        return found

    return run


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> str:
        assert call(["features", *arguments], {}) == 0
        return capfd.readouterr().out

    return run


def test_a_view_is_listed_filled_and_asked(folder, said, told) -> None:
    habits, spending = said("list")["views"]
    assert habits | {"view": "habits", "features": ["large"], "materialised": None, "releases": []} == habits
    assert spending["features"] == ["amount", "sum_amount_1h", "count_1h"]
    assert "not there; fill it" in told("list")

    done = said("materialize")["views"]
    assert [(one["view"], one["written"], one["keys"]) for one in done] == [("habits", 2, 2), ("spending", 2, 2)]
    assert "0 s old" in told("materialize", "spending") or "1 s old" in told("list")

    found = said("get", "spending", "1")
    assert found == said("get", "spending", "user=1")
    assert (found["keys"], found["outcome"]) == ({"user": 1}, "found")
    assert found["features"]["amount"] == 4.0
    assert said("get", "spending", "9")["outcome"] == "missing"
    assert "found, newest event 2026-03-01 12:00:00Z" in told("get", "spending", "1")


def test_a_view_is_shown_with_where_it_comes_from(folder, said, told) -> None:
    found = said("show", "spending")
    assert (found["source"], found["views_over_it"], found["releases"]) == ("spending.csv", ["habits"], [])
    assert [(one["name"], one["kind"], one["made_by"]) for one in found["features"]] == [
        ("amount", "number", "column amount"),
        ("sum_amount_1h", "number", "sum of amount over 1h"),
        ("count_1h", "integer", "count of events over 1h"),
    ]
    assert found["id"].startswith("spending-")
    habits = said("show", "habits")
    assert (habits["over"], habits["features"][0]["made_by"]) == ("spending", "large()")
    text = told("show", "habits")
    assert "→ spending.csv" in text
    assert "no release yet" in text


def test_files_are_pushed_once(folder, said, told) -> None:
    Path("new.csv").write_text("user,at,amount\n1,2026-03-01T13:00:00Z,2.5\n3,2026-03-01,\n")
    assert said("push", "spending", "new.csv") == {
        "view": "spending",
        "rows": 2,
        "new": 2,
        "repeated": 0,
        "remarks": [],
    }
    assert "0 new rows, 2 that were there already" in told("push", "spending", "new.csv")
    assert said("get", "spending", "1")["features"]["amount"] == 2.5
    assert said("show", "spending")["pushed"] == 2
    Path("ids.csv").write_text("order,user,at,amount\no1,4,2026-03-01,1\no1,4,2026-03-01,7\n")
    assert said("push", "spending", "ids.csv", "--id", "order")["new"] == 1


def test_history_is_shown_or_written(folder, said, told) -> None:
    Path("events.csv").write_text("id,user,t\na,1,2026-03-01T12:30:00Z\nb,7,2026-03-01T12:30:00Z\n")
    found = said("history", "events.csv", "--feature", "spending", "--time", "t")
    assert found["rows"] == 2
    assert [row["spending.sum_amount_1h"] for row in found["head"]] == [4.0, 0.0]
    arguments = ("history", "events.csv", "--feature", "spending.amount", "--time", "t", "--output", "out.parquet")
    assert told(*arguments) == "2 rows, written to out.parquet\n"
    assert pl.read_parquet("out.parquet").get_column("spending.amount").to_list() == [4.0, 0.0]
    assert sorted(place.name for place in folder.glob(".history-*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "spendin"], 2, "did you mean 'spending'?"),
        (["materialize", "spending", "nothing"], 2, "there is no feature view 'nothing'"),
        (["get", "spending", "1"], 2, "is not in the online store"),
        (["get", "spending", "x"], 2, "user=x is no integer"),
        (["get", "spending", "1", "2"], 2, "names no entity"),
        (["push", "habits", "spending.csv"], 2, "push to 'spending'"),
        (["push", "spending", "rows.csv"], 1, "has no column 'id' in its source"),
        (["push", "spending", "spending.csv", "--id", "order"], 2, "has no column 'order'"),
        (["history", "spending.csv", "--feature", "spending.x", "--time", "at"], 2, "has no feature 'x'"),
        (["history", "spending.csv", "--feature", "spending"], 2, "not known when the events happened"),
        (
            ["history", "spending.csv", "--feature", "spending", "--time", "at", "--output", "x.doc"],
            2,
            "no format",
        ),
    ],
)
def test_what_is_wrong_is_named(folder, said, arguments, code, message) -> None:
    error = said(*arguments, code=code)
    assert message in f"{error['message']}; {error['cure']}"


def test_a_project_without_views_says_so(shop, said, told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    assert said("list") == {"views": []}
    assert said("materialize") == {"views": []}
    assert told("list") == "model.py declares no feature views.\n"
    assert "declare one in model.py" in said("show", "x", code=2)["cure"]
