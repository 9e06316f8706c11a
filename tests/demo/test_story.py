import json
import subprocess
import sys

import psutil
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.demo.example import copy_example
from mainspring.demo.story import RATE, tell
from mainspring.domain.durations import parse_duration
from mainspring.domain.release import Alias, ReleaseRecord
from mainspring.errors import UsageError
from mainspring.loop.lifecycle.progress import Silent
from mainspring.project import load_project
from mainspring.workspace import Workspace


def run(folder, *arguments, **options):
    command = [sys.executable, "-m", "mainspring", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **options)
    return done, json.loads(done.stdout)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_the_demo_tells_the_whole_story_and_leaves_a_project_and_nothing_running(tmp_path):
    done, story = run(tmp_path, "demo", "demo")
    assert done.returncode == 0, done.stderr
    assert story["missing"] is None
    assert story["reproduced"]
    assert 0.62 < story["release"]["metrics"]["roc_auc"] < story["best_auc"] + 0.03
    rates = story["click_through"]
    before, after, new, faulty = (rates[name] for name in rates)
    assert before["chosen"] > 1.2 * before["by_chance"]
    assert after["chosen"] < after["by_chance"]
    assert new["chosen"] > 2 * after["chosen"]
    assert new["of_possible"] > 0.4
    assert faulty["chosen"] < new["chosen"]
    seconds = story["seconds_from_the_change"]
    assert 0 < seconds["alert"] <= seconds["training"] < seconds["release"] < seconds["champion"]
    assert [stage.partition(" ")[0] for stage in story["stages"]][-3:] == ["canary", "canary", "bake"]
    assert story["failed_requests"] == 0
    assert story["labels"] > 5_000
    assert [one["view"] for one in story["features"]] == ["creative", "visitor"]
    for seen in story["features"]:
        assert seen["rows"] > 50_000
        assert seen["found"] > 0.95
        assert seen["checked"] == 1_000
        assert seen["agreeing"] > 0.99
    assert story["history"]["holds"]
    assert len(list((tmp_path / "demo/data/banners").glob("*.png"))) == 60
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if str(tmp_path) in command]

    _, status = run(tmp_path / "demo", "status")
    (model,) = status["models"]
    assert model["champion"]["release"] == story["champion"]
    assert [run["resumable"] for run in status["runs"]] == [False] * len(status["runs"])
    _, history = run(tmp_path / "demo", "history", "--limit", "1000")
    ends = [entry["detail"]["to"]["end"] for entry in history["entries"] if entry["kind"] == "rollout"]
    assert sorted(end for end in ends if end) == ["promoted", "rolled back"]
    report, _ = run(tmp_path / "demo", "monitor", "report")
    assert report.returncode in (0, 3), report.stderr


def test_a_label_is_known_within_the_delay_that_the_model_declares(tmp_path):
    copy_example(tmp_path)
    model = load_project(tmp_path, {}).model
    assert RATE.label_seconds + 0.5 < parse_duration(model.label_delay).total_seconds()


def test_where_it_was_told_already_it_is_not_told_again(tmp_path):
    copy_example(tmp_path)
    project = load_project(tmp_path, {})
    record = ReleaseRecord("adclick", 1, "0", "a" * 64, "adclick/1", SYSTEM_CLOCK.now(), "onnx", {})
    with Workspace(project.settings, SYSTEM_CLOCK) as workspace:
        workspace.records.reserve_number("adclick", "0")
        workspace.records.put_release(record)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="a test", reason="it was told")
    asked = {"impressions": 20_000, "budget": None, "seed": 7, "rate": RATE, "environ": {}, "clock": SYSTEM_CLOCK}
    with pytest.raises(UsageError, match=r"told in .* already; name another folder"):
        tell(tmp_path, **asked, progress=Silent(), say=lambda words: None)
    assert not (tmp_path / "data").exists()
