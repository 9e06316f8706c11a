"""`score --monitor` says what the monitors find in a table, and `monitor run` and the report know of it."""

import json
from pathlib import Path

import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.testing.shop import write_rows


@pytest.fixture
def inside(released_shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(released_shop)
    write_rows(released_shop / "new.csv", rows=2_000, seed=7, first_id=10_000)
    older = pl.read_csv("new.csv", infer_schema=False).with_columns(
        (pl.col("age").cast(pl.Int64) + 25).cast(pl.String)
    )
    older.write_csv("aged.csv")
    return released_shop


def verb(*arguments: str) -> int:
    return call(list(arguments), {})


def score(name: str, *more: str) -> int:
    return verb("score", "shop", "--input", name, "--output", "out.parquet", *more)


def test_rows_like_those_of_training_end_with_0(inside, capfd) -> None:
    assert score("new.csv", "--monitor", "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["job"]["rows"] == document["job"]["looked_at"] == 2_000
    assert {one["state"] for one in document["measurements"]} == {"fine"}
    assert {one["job"] for one in document["measurements"]} == {"out.parquet"}
    assert document["events"] == []


def test_what_is_bad_is_said_and_ends_with_3(inside, capfd) -> None:
    assert score("aged.csv", "--monitor") == 3
    out = capfd.readouterr().out
    assert "drift of jobs: age in out.parquet" in out
    assert "alert fired: drift of jobs" in out
    assert verb("alerts", "list") == 0
    assert "drift of jobs" in capfd.readouterr().out
    assert verb("monitor", "report", "shop") == 0
    text = capfd.readouterr().out
    assert "2,000 rows of 1 score job" in text
    assert "age in score jobs" in text


def test_without_it_the_next_look_finds_it(inside, capfd) -> None:
    assert score("aged.csv") == 0
    assert "measurements" not in capfd.readouterr().out
    assert verb("monitor", "run", "--once") == 3
    assert "drift of jobs: age in out.parquet" in capfd.readouterr().out
    assert verb("monitor", "run", "--once") == 3, "the alert still fires"
    assert "shop: none of its answers has been stored yet." in capfd.readouterr().out


def test_monitors_of_another_model_are_none(inside, capfd) -> None:
    text = Path("model.py").read_text().replace('"shop"', '"other"', 1)
    Path("model.py").write_text(text)
    assert score("new.csv", "--monitor") == 2
    assert "model.py declares 'other'" in capfd.readouterr().err
    assert not Path("out.parquet").exists()
