"""Scoring answers every row exactly once, as the gateway would, and goes on after being killed."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.batch.scoring import ScoreResult
from mainspring.batch.table import score_table
from mainspring.domain.release import ReleaseRef
from mainspring.errors import SourceFormatError, SourceNotFound, StoreError, UsageError, ValueParseError
from mainspring.project import open_project
from mainspring.testing.shop import write_rows
from mainspring.workspace import Workspace

Score = Callable[..., ScoreResult]


@pytest.fixture
def score(released_shop: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Scores with the shop's champion, from inside the shop's folder."""
    monkeypatch.chdir(released_shop)

    def call(inputs: str, output: str, *, keep: bool = False, batch_rows: int = 100) -> ScoreResult:
        project = open_project(released_shop, {})
        with Workspace(project.settings) as workspace:
            record = workspace.catalogue.find(ReleaseRef.parse("shop"))
            with workspace.open_release(record) as opened:
                return score_table(
                    opened.manifest,
                    opened.runtime,
                    [inputs],
                    output,
                    schema_file=opened.folder / "source" / "schema.toml",
                    root=released_shop,
                    keep_columns=keep,
                    threads=2,
                    environ={},
                    stores=workspace.view_stores(project),
                    batch_rows=batch_rows,
                )

    return call


def answers_of_gateway(folder: Path, rows: list[dict[str, object]]) -> np.ndarray:
    with (
        Workspace(open_project(folder, {}).settings) as workspace,
        workspace.open_release(workspace.catalogue.find(ReleaseRef.parse("shop"))) as opened,
    ):
        return np.vstack([opened.runtime.predict_rows([row]) for row in rows])


def test_the_answers_are_those_of_the_gateway_in_the_order_of_the_input(released_shop: Path, score: Score) -> None:
    found = score("rows.csv", "out.parquet")
    scored = pl.read_parquet("out.parquet")
    rows = pl.read_csv("rows.csv")
    assert (found.rows, found.resumed_rows) == (1500, 0)
    assert scored.columns == ["id", "prediction", "probability_no", "probability_yes"]
    assert scored["id"].to_list() == rows["id"].to_list()
    wire = rows.select("age", "spend", "city").head(300).to_dicts()
    expected = answers_of_gateway(released_shop, wire)
    assert np.array_equal(scored.select("probability_no", "probability_yes").head(300).to_numpy(), expected)
    assert scored["prediction"].to_list() == ["yes" if p >= 0.5 else "no" for p in scored["probability_yes"]]


def test_parquet_csv_and_delta_hold_the_same(score: Score) -> None:
    for name in ("out.parquet", "out.csv", "out.delta"):
        score("rows.csv", name)
    from deltalake import DeltaTable

    parquet = pl.read_parquet("out.parquet")
    assert pl.read_csv("out.csv").equals(parquet)
    assert pl.from_arrow(DeltaTable("out.delta").to_pyarrow_table()).sort("id").equals(parquet.sort("id"))


def test_columns_are_kept_on_request_and_extra_ones_ignored_otherwise(score: Score) -> None:
    rows = pl.read_csv("rows.csv", infer_schema=False).with_columns(note=pl.lit("007"))
    rows.write_csv("more.csv")
    score("more.csv", "plain.parquet")
    score("more.csv", "kept.parquet", keep=True)
    assert "note" not in pl.read_parquet("plain.parquet").columns
    kept = pl.read_parquet("kept.parquet")
    assert set(kept.columns) == {*rows.columns, "prediction", "probability_no", "probability_yes"}
    assert kept["note"].unique().to_list() == ["007"]


def test_without_key_and_target_the_rows_are_numbered(score: Score) -> None:
    pl.read_csv("rows.csv").drop("id", "bought").write_csv("bare.csv")
    score("bare.csv", "out.parquet")
    assert pl.read_parquet("out.parquet")["row"].to_list() == list(range(1500))


KILLED = """
import os, signal, sys
from pathlib import Path
from mainspring.batch.table import score_table
from mainspring.domain.release import ReleaseRef
from mainspring.project import open_project
from mainspring.workspace import Workspace
done = 0
def rows(n):
    global done
    done += n
    if done >= 500: os.kill(os.getpid(), signal.SIGKILL)
root = Path(sys.argv[1])
project = open_project(root, {})
with Workspace(project.settings) as w:
    with w.open_release(w.catalogue.find(ReleaseRef.parse("shop"))) as opened:
        score_table(opened.manifest, opened.runtime, ["rows.csv"], "out.parquet", root=root, keep_columns=False,
            schema_file=opened.folder / "source" / "schema.toml", threads=2, environ={}, batch_rows=100,
            stores=w.view_stores(project), on_rows=rows)
"""


def test_a_killed_job_goes_on_and_every_row_is_there_once(released_shop: Path, score: Score) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(released_shop)], check=False, cwd=released_shop)
    assert ended.returncode == -signal.SIGKILL
    assert not Path("out.parquet").exists()
    found = score("rows.csv", "out.parquet")
    assert found.rows == 1500
    assert 500 <= found.resumed_rows < 1500
    resumed = pl.read_parquet("out.parquet")
    score("rows.csv", "again.parquet")
    assert resumed.equals(pl.read_parquet("again.parquet"))
    assert not [p for p in Path().iterdir() if p.name.endswith(".parts")]


def test_another_input_does_not_go_on_from_old_parts(released_shop: Path, score: Score) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(released_shop)], check=False, cwd=released_shop)
    write_rows(released_shop / "rows.csv", rows=700, seed=9)
    found = score("rows.csv", "out.parquet")
    assert (found.rows, found.resumed_rows) == (700, 0)


def test_a_bad_row_is_named_and_leaves_no_output(released_shop: Path, score: Score) -> None:
    lines = Path("rows.csv").read_text().splitlines()
    lines[900] = lines[900].replace(lines[900].split(",")[2], "lots", 1)
    Path("bad.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueParseError, match=r"bad\.csv.*900") as raised:
        score("bad.csv", "out.parquet")
    assert raised.value.where["column"] == "spend"
    assert "sealed with the release" in raised.value.cure
    assert "schema.toml" not in raised.value.cure
    Path("less.csv").write_text(Path("rows.csv").read_text().replace("spend", "spent", 1))
    with pytest.raises(SourceFormatError, match="no column 'spend'") as raised_too:
        score("less.csv", "out.parquet")
    assert raised_too.value.cure == "rename 'spent': the release takes it"
    assert not Path("out.parquet").exists()


@pytest.mark.parametrize(
    ("inputs", "output", "error"),
    [
        ("rows.csv", "out.xlsx", UsageError),
        ("rows.csv", "nowhere/out.csv", SourceNotFound),
        ("absent.csv", "out.csv", SourceNotFound),
    ],
)
def test_a_call_that_cannot_work_says_so(score: Score, inputs: str, output: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        score(inputs, output)


def test_an_output_that_is_a_folder_is_refused(score: Score) -> None:
    Path("out.parquet").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        score("rows.csv", "out.parquet")
