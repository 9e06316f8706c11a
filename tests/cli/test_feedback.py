"""`mainspring feedback` on the small project: what users have in their files, and what they get wrong."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.data.labels import DTYPES
from mainspring.data.predictions import predictions
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.stores.tables_delta import DeltaTables

NOW = datetime.now(UTC) - timedelta(hours=1)
IDS = ("r1/0", "r1/1", "r2/0")


@pytest.fixture
def folder(released_shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with three predictions, of the events c1, c2 and c3."""
    monkeypatch.chdir(released_shop)
    answers = [
        {
            "day": NOW.date(),
            "id": place,
            "request_id": place.partition("/")[0],
            "row": int(place.partition("/")[2]),
            "at": NOW,
            "release": 1,
            "role": "champion",
            "key": f"c{number}",
            "latency_us": 800,
            "prediction": "yes",
            "value": 0.7,
            "outputs": [0.3, 0.7],
        }
        for number, place in enumerate(IDS, 1)
    ]
    schema = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}
    tables(released_shop).record(
        "predictions/shop", pl.DataFrame(answers, schema=schema), partition="day", offsets={}
    )
    return released_shop


def tables(folder: Path) -> DeltaTables:
    return DeltaTables(str(folder / ".mainspring" / "tables"))


def truth(folder: Path, column: str = "label") -> list[Any]:
    return predictions(tables(folder), "shop").sort("id").collect().get_column(column).to_list()


def loaded(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert call(["feedback", *arguments, "--json"], {}) == code
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_labels_by_prediction_id_are_stored_once(folder, capfd):
    Path("a.csv").write_text("prediction_id,label,note\nr1/0,yes,x\nr1/1,,x\nr2,no,x\n")
    first = loaded(capfd, "a.csv")
    assert first.items() >= {"model": "shop", "rows": 3, "messages": 2, "new": 2, "repeated": 0}.items()
    assert truth(folder) == ["yes", None, "no"]
    before = truth(folder, "label_at")
    again = loaded(capfd, "a.csv", "--model", "shop")
    assert (again["new"], again["repeated"]) == (0, 2)
    assert truth(folder, "label_at") == before
    assert tables(folder).scan("labels/shop").select(pl.len()).collect().item() == 2


def test_the_training_file_itself_is_feedback_by_its_own_names(folder, capfd):
    Path("truth.csv").write_text("id,age,bought\nc1,30,no\nc3,50,yes\nunknown,3,yes\n")
    assert loaded(capfd, "truth.csv")["new"] == 3
    assert truth(folder) == ["no", None, "yes"]


def test_a_correction_holds_and_so_does_going_back(folder, capfd):
    for label in ("yes", "no", "yes"):
        Path("one.csv").write_text(f"key,label\nc1,{label}\n")
        assert loaded(capfd, "one.csv")["new"] == 1
        assert truth(folder)[0] == label


def test_of_what_one_file_says_twice_the_last_holds(folder, capfd):
    Path("twice.csv").write_text("key,label\nc1,yes\nc2,yes\nc1,no\n")
    assert loaded(capfd, "twice.csv")["new"] == 2
    assert truth(folder) == ["no", "yes", None]
    Path("back.csv").write_text("key,label\nc1,no\nc1,yes\nc1,no\n")
    assert loaded(capfd, "back.csv")["new"] == 0


def test_outcomes_times_and_ids_in_columns_of_any_name(folder, capfd):
    frame = pl.DataFrame(
        {
            "order": ["c1", "c2", "c3"],
            "eur": [1.5, None, 0.0],
            "returned": [True, False, None],
            "when": [NOW, NOW, None],
            "message": ["m1", "m2", "m3"],
        }
    )
    frame.write_parquet("sales.parquet")
    options = ["--key", "order", "--outcome", "revenue=eur", "--outcome", "returned", "--at", "when"]
    assert loaded(capfd, "sales.parquet", *options, "--message-id", "message")["new"] == 4
    assert truth(folder, "outcome_revenue") == [1.5, None, 0.0]
    assert truth(folder, "outcome_returned") == [1.0, 0.0, None]
    frame.with_columns(eur=pl.lit(99.0)).write_parquet("sales.parquet")
    loaded(capfd, "sales.parquet", *options, "--message-id", "message")
    assert truth(folder, "outcome_revenue") == [1.5, 99.0, 0.0]  # m1 and m3 were heard before; m2 said no revenue


def test_json_lines_and_several_files(folder, capfd):
    Path("1.jsonl").write_text(
        '{"prediction_id": "r1/0", "label": "yes"}\n{"prediction_id": "r1/1", "label": null}\n'
    )
    Path("2.jsonl").write_text('{"prediction_id": "r2/0", "happened_at": "2026-03-02", "label": "no"}\n')
    assert loaded(capfd, "*.jsonl")["new"] == 2
    assert truth(folder) == ["yes", None, "no"]
    assert truth(folder, "label_happened_at")[2] == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "options", "where", "said"),
    [
        (
            "prediction_id,label\nr1/0,yes\nr1/1,maybe\n",
            [],
            {"row": 2, "column": "label"},
            "'maybe', which is no class",
        ),
        (
            "prediction_id,label\nr1/0,yes\nr1/x,no\n",
            [],
            {"row": 2, "column": "prediction_id"},
            "no id of a prediction",
        ),
        ("prediction_id,label\nr1/0,yes\n,no\n", [], {"row": 2, "column": "prediction_id"}, "is missing"),
        ("prediction_id,label,happened_at\nr1/0,yes,soon\n", [], {"row": 1, "column": "happened_at"}, "no time"),
        ("key,eur\nc1,1\nc2,1e999\n", ["--outcome", "r=eur"], {"row": 2, "column": "eur"}, "no finite number"),
        ("key,eur\nc1,1\n", ["--outcome", "r=euro"], {"column": "euro"}, "did you mean 'eur'"),
        ("who,label\nc1,yes\n", [], {}, "does not tell what its rows are about"),
        ("prediction_id,truth\nr1/0,yes\n", [], {}, "does not tell what came true"),
        (f"key,label\n{'x' * 1001},yes\n", [], {"row": 1, "column": "key"}, "1,001 characters"),
        ("prediction_id,label,feedback_id\nr1/0,yes,=x\n", [], {"row": 1, "column": "feedback_id"}, "no id"),
        ("", [], {}, ""),
        ("prediction_id,label\nr1/0,yes,3,4\n", [], {}, ""),
    ],
)
def test_what_makes_no_sense_is_named_and_nothing_is_stored(folder, capfd, content, options, where, said):
    Path("bad.csv").write_text(content)
    error = loaded(capfd, "bad.csv", *options, code=1)
    assert error["where"].items() >= ({"file": "bad.csv"} | where).items()
    assert said in f"{error['message']}; {error['cure']}"
    assert not tables(folder).exists("labels/shop")


def test_a_late_fault_stores_nothing_of_what_came_before(folder, capfd):
    rows = "".join(f"r{number}/0,yes\n" for number in range(150_000))
    Path("long.csv").write_text(f"prediction_id,label\n{rows}last/0,never\n")
    error = loaded(capfd, "long.csv", code=1)
    assert error["where"] == {"file": "long.csv", "row": 150_001, "column": "label"}
    assert not tables(folder).exists("labels/shop")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--id", "a", "--key", "b"], "not both"),
        (["--outcome", "Revenue=a"], "no name of an outcome"),
        (["--outcome", "label=a"], "no outcome"),
        (["--model", "../x"], "names no release"),
    ],
)
def test_wrong_usage(folder, capfd, options, said):
    Path("a.csv").write_text("a,b\n1,2\n")
    assert said in loaded(capfd, "a.csv", *options, code=2)["message"]


def test_another_model_and_no_file_are_named(folder, capfd):
    Path("a.csv").write_text("a,b\n1,2\n")
    assert "shop" in loaded(capfd, "a.csv", "--model", "shup", code=1)["cure"]
    assert "gone.csv" in loaded(capfd, "gone.csv", code=1)["message"]


def test_status_shows_how_many_predictions_have_a_label(folder, capfd):
    Path("a.csv").write_text("key,label\nc1,yes\n")
    loaded(capfd, "a.csv")
    assert call(["status", "--json"], {}) == 0
    (labels,) = json.loads(capfd.readouterr().out)["labels"]
    assert (labels["model"], labels["predictions"], labels["labelled"], labels["early"]) == ("shop", 3, 1, 0)
    assert labels["delay_median"] == labels["delay_90"] >= 3600
    assert call(["status"], {}) == 0
    assert "1 (33.3%)" in capfd.readouterr().out
