import json
import subprocess
import sys

import psutil
import pytest


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_the_demo_tells_its_story_in_three_minutes_and_leaves_nothing_running(tmp_path):
    command = [sys.executable, "-m", "mainspring", "demo", "demo", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    assert sum(story["seconds"].values()) < 180
    assert story["reproduced"]
    assert story["release"]["runtime"] == "onnx"
    assert 0.62 < story["release"]["metrics"]["roc_auc"] < story["best_auc"] + 0.03
    assert 0.3 < story["uplift"] <= story["possible_uplift"]
    assert story["auctions"]["predictions"] == 3_600
    assert len(list((tmp_path / "demo/data/banners").glob("*.png"))) == 60
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if str(tmp_path) in command]
