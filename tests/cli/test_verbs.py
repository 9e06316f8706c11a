"""The verbs on one small project that went through `init` and `run` twice, in processes as people start them."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.clock import SYSTEM_CLOCK
from mainspring.demo.gateway import gateway

pytestmark = pytest.mark.timeout(600)


def mainspring(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mainspring", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def rows_of(count: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age, town = rng.integers(18, 80, count), rng.choice(["a", "b", "c"], count)
    chance = 1 / (1 + np.exp(-((age - 45) / 6 + 2.0 * (town == "a"))))
    return pl.DataFrame(
        {
            "id": [f"row-{seed}-{n:05d}" for n in range(count)],
            "age": age,
            "town": town,
            "bought": np.where(rng.random(count) < chance, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    rows_of(1_500, seed=1).write_csv(folder / "rows.csv")
    made = mainspring("init", ".", "--data", "rows.csv", "--target", "bought", "--name", "shop", folder=folder)
    assert made.returncode == 0, made.stderr
    # What a user's code prints must not break the document.
    text = (folder / "model.py").read_text() + "\nprint('said by model.py')\n"
    for seed in (0, 1):
        # Two different models of which neither is better must both pass here, whatever the margin that init chose.
        seeded = text.replace("    holdout=0.2,", f"    holdout=0.2,\n    seed={seed},")
        (folder / "model.py").write_text(re.sub(r"margin=[\d.]+", "margin=0.9", seeded))
        ran = mainspring("run", "--trials", "3", "--json", folder=folder)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        document = json.loads(ran.stdout)
        assert document["state"] == "released"
        assert document["exit_code"] == 0
        assert document["release"]["ref"] == f"shop@{seed + 1}"
        assert {v["outcome"] for v in document["verdicts"]} == {"pass"}
        assert document["validation"]["errors"] == 0
        assert "said by model.py" in ran.stderr
    return folder


@pytest.fixture
def inside(shop, monkeypatch):
    monkeypatch.chdir(shop)
    return shop


def document(capfd, *arguments: str, code: int = 0):
    assert call([*arguments, "--json"], dict(os.environ)) == code
    return json.loads(capfd.readouterr().out)


def said(capfd, *arguments: str, code: int = 0) -> str:
    assert call(list(arguments), dict(os.environ)) == code
    return capfd.readouterr().out


def test_releases_lists_what_is_promised(inside, capfd):
    found = document(capfd, "releases")
    assert [(r["model"], r["number"]) for r in found] == [("shop", 2), ("shop", 1)]
    assert [r["aliases"] for r in found] == [["champion"], []]
    for release in found:
        assert {"created_at", "runtime", "metrics"} <= set(release)
        assert release["runtime"] == "onnx"
        low, high = release["intervals"]["roc_auc"]
        assert 0.8 < low < release["metrics"]["roc_auc"] < high <= 1.0
    assert "shop@2" in said(capfd, "releases", "shop")


def test_runs_and_status_show_what_happened(inside, capfd):
    runs = document(capfd, "runs")
    assert [run["release"] for run in runs] == ["shop@2", "shop@1"]
    assert {run["state"] for run in runs} == {"released"}
    assert document(capfd, "show", runs[0]["id"])["snapshot"] == runs[0]["snapshot"]
    assert document(capfd, "status")["models"][0]["champion"]["release"] == "shop@2"
    text = said(capfd, "status")
    assert "shop@2" in text
    assert "Gateway: none is running" in text
    assert "Loop: none is running; start it and a gateway with: mainspring up" in text
    assert document(capfd, "status")["alerts"] == []
    assert runs[1]["id"] in said(capfd, "show", runs[1]["id"])
    assert document(capfd, "show", runs[1]["id"][:-4])["id"] == runs[1]["id"]
    assert "begin with" in document(capfd, "show", runs[1]["id"][:6], code=2)["message"]


def test_the_history_of_two_runs(inside, capfd):
    found = document(capfd, "history", "shop", "--limit", "1000")["entries"]
    told = [(one["kind"], one["actor"].partition(" ")[0], one["detail"].get("state")) for one in reversed(found)]
    someone = os.environ.get("USER") or os.environ.get("LOGNAME") or "cli"
    begun, promoted, ended = (
        ("training", someone, "running"),
        ("champion", "run", None),
        ("training", "run", "released"),
    )
    assert told[:6] == [begun, promoted, ended] * 2
    first = found[-2]
    assert (first["reason"], first["detail"]["after"]) == ("passed its gates", 1)
    then = document(capfd, "status", "--at", first["at"])["models"]["shop"]
    assert (then["champion"], then["entry"]) == (1, first)
    assert document(capfd, "history", "--verify")["holds"] is True
    assert "shop@2 is champion, after shop@1" in said(capfd, "history", "shop")


def test_show_a_release_tells_everything_about_it(inside, capfd):
    found = document(capfd, "show", "shop@1")
    assert found["target"] == "bought"
    assert [field["name"] for field in found["inputs"]] == ["age", "town"]
    assert found["output"]["classes"] == ["no", "yes"]
    assert found["params"]
    text = said(capfd, "show", "shop")
    for phrase in ("shop@2 (champion)", "binary of bought", "compiled", "roc_auc", "18 to 79", "a, b, c"):
        assert phrase in text


def test_show_a_snapshot_gives_its_rows_back(inside, capfd):
    snapshot = document(capfd, "runs")[0]["snapshot"]
    rows = rows_of(1_500, seed=1)
    found = document(capfd, "show", snapshot[:8], "--head", "4")
    assert (found["id"], found["rows"]) == (snapshot, 1_500)
    assert found["head"] == rows.head(4).to_dicts()
    now = document(capfd, "show", "--as-of", "2100-01-01", "--head", "1")
    assert now["id"] == snapshot
    assert "row-1-00000" in said(capfd, "show", snapshot)
    assert document(capfd, "show", "--as-of", "2001-01-01T00:00Z", code=1)["error"] == "UnknownSnapshot"
    assert document(capfd, "show", "--as-of", "yesterday", code=2)["error"] == "UsageError"


def test_predict_answers_as_score_does(inside, capfd, tmp_path):
    rows = rows_of(50, seed=2).drop("bought")
    given = [json.dumps(row) for row in rows.select("age", "town").head(3).to_dicts()]
    answers = document(capfd, "predict", "shop", *(part for row in given for part in ("--row", row)))
    assert answers["release"] == "shop@2"
    keyed = [json.dumps({"id": "web-1", **json.loads(row)}) for row in given]
    assert document(capfd, "predict", "shop", *(part for row in keyed for part in ("--row", row))) == answers
    rows.select("age", "town").write_ndjson(tmp_path / "rows.jsonl")
    by_file = document(capfd, "predict", "shop@2", "--input", str(tmp_path / "rows.jsonl"))
    assert by_file["predictions"][:3] == answers["predictions"]
    rows.with_columns(note=pl.lit("kept")).write_parquet(tmp_path / "rows.parquet")
    scored = document(
        capfd,
        "score",
        "shop",
        "--input",
        str(tmp_path / "rows.parquet"),
        "--output",
        str(tmp_path / "out.parquet"),
    )
    assert (scored["rows"], scored["resumed_rows"]) == (50, 0)
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.columns == ["id", "prediction", "probability_no", "probability_yes"]
    assert out["id"].to_list() == rows["id"].to_list()
    expected = [p["probabilities"]["yes"] for p in by_file["predictions"]]
    assert np.allclose(out["probability_yes"].to_numpy(), expected, atol=1e-9)
    said(
        capfd,
        "score",
        "shop",
        "--input",
        str(tmp_path / "rows.parquet"),
        "--output",
        str(tmp_path / "o.csv"),
        "--keep-columns",
    )
    assert {"note", "prediction", "age"} <= set(pl.read_csv(tmp_path / "o.csv").columns)


@pytest.mark.parametrize(
    ("arguments", "code", "phrases"),
    [
        (["predict", "shop"], 2, ["--row JSON"]),
        (["predict", "shop", "--row", "{"], 1, ["--row number 1", "no JSON"]),
        (["predict", "shop", "--row", '{"age": NaN, "town": "a"}'], 1, ["NaN"]),
        (["predict", "shop", "--row", '{"age": 3, "twon": "a"}'], 1, ["twon", "town"]),
        (["predict", "shop", "--row", "[1]"], 1, ["row 0", "object"]),
        (["predict", "shop", "--input", "gone.json"], 1, ["gone.json"]),
        (["predict", "shp", "--row", "{}"], 1, ["shp", "did you mean shop"]),
        (["predict", "shop@9", "--row", "{}"], 1, ["shop@9", "shop@2"]),
        (["score", "shop", "--input", "gone.csv", "--output", "o.csv"], 1, ["gone.csv"]),
        (["score", "shop", "--input", "rows.csv", "--output", "o.txt"], 2, ["o.txt", ".parquet"]),
        (["show", "shop@x"], 2, ["shop@x"]),
        (["show", "0123abcd-12"], 2, ["no release, no run and no snapshot"]),
        (["promote", "shop@7"], 1, ["shop@7"]),
        (["compare", "shop@1", "shop@8"], 1, ["shop@8"]),
        (["compare", "shop", "shop@2"], 2, ["shop@2 would be compared with itself"]),
        (["reproduce", "shop@8"], 1, ["shop@8"]),
    ],
)
def test_mistakes_are_told_on_one_screen(inside, capfd, arguments, code, phrases):
    assert call(arguments, dict(os.environ)) == code
    err = capfd.readouterr().err
    assert "Traceback" not in err
    assert len(err.splitlines()) < 15
    for phrase in phrases:
        assert phrase in err
    assert not list(inside.glob("o.*"))


def test_promotions_are_undone_one_by_one(inside, capfd):
    promoted = document(capfd, "promote", "shop@1", "--reason", "a test")
    assert [promoted[name] for name in ("champion", "before", "workers")] == ["shop@1", "shop@2", 0]
    assert "already" in said(capfd, "promote", "shop@1")
    back = document(capfd, "rollback", "shop")
    assert back["champion"] == "shop@2"
    assert "shop@1" in said(capfd, "rollback", "shop")
    assert "no champion before" in document(capfd, "rollback", "shop", code=1)["message"]
    said(capfd, "promote", "shop@2")
    changes = document(capfd, "status")["changes"]
    assert "a test" in [change["reason"] for change in changes]


def test_compare_shows_both_on_the_same_rows(inside, capfd):
    found = document(capfd, "compare", "shop@1", "shop@2")
    assert (found["a"], found["b"]) == ("shop@1", "shop@2")
    assert "code" in found["differences"]
    assert "roc_auc" in found["metrics"]
    assert "shop@1" in said(capfd, "compare", "shop@1", "shop@2")


def test_a_release_is_reproduced_in_a_clean_process(inside):
    done = mainspring("reproduce", "shop@1", "--json", folder=inside)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["holds"]
    assert report["golden_rows"] == report["golden_equal"] >= 200


def test_serve_answers_as_predict_does_and_ends_when_told(inside, capfd):
    row = {"age": 50, "town": "a"}
    alone = document(capfd, "predict", "shop", "--row", json.dumps(row))
    with gateway(inside, dict(os.environ), SYSTEM_CLOCK, token=None) as client:
        served = client.predict("shop", [row])
        deadline = time.monotonic() + 60
        while not document(capfd, "status")["workers"]:  # answers come before the records are opened
            assert time.monotonic() < deadline, "the worker is never known"
        promoted = document(capfd, "promote", "shop@1")
        assert promoted["workers"] == 1
        assert promoted["acknowledged"]
        assert client.predict("shop", [row])["release"] == "shop@1"
        said(capfd, "promote", "shop@2")
    assert served["release"] == alone["release"]
    assert served["predictions"] == alone["predictions"]
    with pytest.raises(OSError):
        client._connection.connect()


def test_a_failed_gate_exits_with_three_and_registers_nothing(inside, tmp_path, capfd):
    for name in ("mainspring.toml", "schema.toml", "rows.csv"):
        (tmp_path / name).write_bytes((inside / name).read_bytes())
    text = (inside / "model.py").read_text()
    bar = 'Gate("roc_auc", better_than="naive"),'
    assert bar in text
    (tmp_path / "model.py").write_text(text.replace(bar, 'Gate("roc_auc", at_least=0.9999, by="town"),'))
    done = mainspring("run", "--trials", "1", "--project", str(tmp_path), folder=inside)
    assert done.returncode == 3, done.stdout + done.stderr
    for phrase in ("roc_auc ≥ 0.9999 by town", "town=", "fail"):
        assert phrase in done.stdout
    assert "error: " in done.stderr
    assert document(capfd, "releases", "--project", str(tmp_path)) == []
