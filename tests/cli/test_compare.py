"""`mainspring compare`: its three uses as people write them. (Two releases: `test_verbs`.)"""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.cli.main import call
from mainspring.data.labels import DTYPES
from mainspring.domain.prediction_log import PREDICTION_COLUMNS, Role, predictions_table
from mainspring.domain.release import Alias
from mainspring.domain.routing import Arm, Traffic
from mainspring.loop.ab.ending import end_tests
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.testing.sealed import a_seal_order, put_sealed
from mainspring.workspace import Workspace

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)


@pytest.fixture
def power(tmp_path: Path, capfd: Any) -> Any:
    """`compare --power` where there is no project."""

    def run(*arguments: str, as_json: bool = True) -> tuple[int, Any]:
        given = ["compare", "--power", *arguments, "--project", str(tmp_path)]
        code = call([*given, *(["--json"] if as_json else [])], {})
        streams = capfd.readouterr()
        return code, json.loads(streams.out) if as_json else streams.out + streams.err

    return run


def test_the_size_of_a_test_by_hand(power: Any) -> None:
    """31,233.4 each by the formula of Fleiss, Levin and Paik, section 4.2."""
    code, told = power("--base", "5%", "--effect", "10%", "--per-day", "20000")
    assert code == 0
    once, always = told["ways"]
    assert once["arms"] == [31_234, 31_234]
    assert once["requests"] == 62_468
    assert once["days"] == pytest.approx(3.12, abs=0.01)
    assert always["looks"] == "any time"
    assert 1.7 * once["requests"] < always["requests"] < 2.3 * once["requests"]
    assert power("--base", "0.05", "--effect", "0.005", "--per-day", "20000")[1]["ways"][0]["arms"] == once["arms"]
    words = power("--base", "5%", "--effect", "10%", as_json=False)[1]
    assert "from 0.05 to 0.055" in words
    assert "62,468" in words


def test_the_other_way_round_it_finds_the_same_effect(power: Any) -> None:
    code, told = power("--base", "5%", "--requests", "62468")
    assert code == 0
    assert told["ways"][0]["effect"] == pytest.approx(0.005, rel=1e-3)
    assert "62,468 requests" in power("--base", "5%", "--requests", "62468", as_json=False)[1]


def test_of_numbers_and_of_several_arms(power: Any) -> None:
    code, two = power("--sd", "12", "--effect", "1")
    assert code == 0
    _, three = power("--sd", "12", "--mean", "50", "--effect", "2%", "--shares", "1/3,1/3,1/3")
    assert three["ways"][0]["arms"][0] > 1.15 * two["ways"][0]["arms"][0], "alpha is shared"
    assert len(three["ways"][0]["arms"]) == 3


def test_what_no_test_can_find_is_said(power: Any) -> None:
    code, told = power("--base", "99.9%", "--requests", "20")
    assert code == 0
    assert told["ways"][0]["effect"] is None
    assert "none" in power("--base", "99.9%", "--requests", "20", as_json=False)[1]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "needs the rise"),
        (["--base", "5%"], "needs the rise"),
        (["--base", "5%", "--effect", "1%", "--requests", "10"], "needs the rise"),
        (["--effect", "1%"], "what is to be raised"),
        (["--base", "5%", "--sd", "1", "--effect", "1%"], "what is to be raised"),
        (["--base", "5%", "--mean", "1", "--effect", "1%"], "--mean goes with --sd"),
        (["--base", "x", "--effect", "1%"], "'x' is no number"),
        (["--base", "120%", "--effect", "1%"], "no share"),
        (["--base", "5%", "--effect", "0"], "none to be found"),
        (["--base", "95%", "--effect", "10%"], "between 0 and 1"),
        (["--sd", "0", "--effect", "1"], "--sd 0 is not over 0"),
        (["--sd", "1", "--effect", "1%"], "a part of the mean"),
        (["--sd", "1", "--effect", "1", "--shares", "60%,60%"], "shares"),
        (["--sd", "1", "--effect", "1", "--shares", "a,b"], "no number"),
        (["--sd", "1", "--effect", "1", "--alpha", "0"], "alpha"),
        (["--sd", "1", "--effect", "1", "--chance", "1"], "power"),
        (["--sd", "1", "--effect", "1", "--per-day", "0"], "--per-day"),
        (["adult@3", "--sd", "1", "--effect", "1"], "needs no release"),
        (["--arms", "--sd", "1", "--effect", "1"], "do not go together"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_cure(power: Any, arguments: list[str], problem: str) -> None:
    code, told = power(*arguments)
    assert code == 2
    assert problem in told["message"]
    assert told["cure"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["adult"], "two releases"),
        ([], "two releases"),
        (["--arms"], "one model"),
        (["adult", "b", "--arms"], "one model"),
        (["adult@3", "--arms"], "is a release"),
        (["adult@1", "adult@2", "--since", "7d"], "--since goes with --arms"),
        (["adult@1", "adult@2", "--base", "5%"], "--power only"),
        (["adult@1", "adult@2", "--per-day", "5"], "--power only"),
    ],
)
def test_uses_that_are_mixed_up_are_told_apart(
    tmp_path: Path, capfd: Any, arguments: list[str], problem: str
) -> None:
    assert call(["compare", *arguments, "--project", str(tmp_path), "--json"], {}) == 2
    assert problem in json.loads(capfd.readouterr().out)["message"]


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which a test ran for a day: the champion against itself."""
    root = tmp_path_factory.mktemp("project")
    (root / "mainspring.toml").write_text('name = "shop"\n')
    clock = FakeClock(START)
    with Workspace(load_settings(root, {}), clock) as workspace:
        folder = workspace.settings.releases / "adclick" / "1"
        manifest = seal(a_seal_order(rows=300), folder=folder, key=signing_key(workspace.keys))
        put_sealed(workspace, manifest, folder)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="ana", reason="first")
        rules = Traffic(arms=(Arm("same", 1, 0.5),), arms_end=END)
        workspace.records.set_traffic("adclick", rules, actor="ana", reason="a test of the test")
        is_arm = np.random.default_rng(0).random(2_000) < 0.5
        at = [START + timedelta(minutes=2 + n / 2) for n in range(is_arm.size)]
        frame = pl.DataFrame(
            {
                "day": [moment.date() for moment in at],
                "id": [f"{n}/0" for n in range(is_arm.size)],
                "request_id": [str(n) for n in range(is_arm.size)],
                "row": 0,
                "at": at,
                "release": 1,
                "role": [str(Role.ARM if one else Role.CHAMPION) for one in is_arm],
                "arm": ["same" if one else None for one in is_arm],
                "key": None,
                "latency_us": 250,
                "prediction": "no",
                "value": 0.1,
                "outputs": [[0.9, 0.1]] * is_arm.size,
            },
            schema={name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()},
        )
        workspace.tables.record(predictions_table("adclick"), frame, partition="day", offsets={})
        clock.sleep(86_400)
        assert end_tests(workspace, actor="controller") == ["adclick"]
    return root


def test_a_test_is_told_to_people_and_to_programs(tested: Path, capfd: Any) -> None:
    arguments = ["compare", "adclick", "--arms", "--project", str(tested)]
    assert call([*arguments, "--json"], {}) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["control"] == "same"
    assert (told["is_running"], told["planned_end"]) == (False, "2026-03-03T00:00:00+00:00")
    assert told["ratio_mismatch"] is False
    assert sum(group["answers"] for group in told["groups"]) == 2_000
    assert told["verdicts"] == ["No group can be told from the control yet."]
    assert call(arguments, {}) == 0
    words = capfd.readouterr().out
    assert "ends it at" not in words
    for expected in ("has ended", "same (control)", "no arm", "adclick@1", "50.0%"):
        assert expected in words


def test_of_a_test_that_runs_its_end_is_told(tested: Path, tmp_path: Path, capfd: Any) -> None:
    shutil.copytree(tested, tmp_path, dirs_exist_ok=True)
    with Workspace(load_settings(tmp_path, {}), FakeClock(END + timedelta(days=1))) as workspace:
        rules = Traffic(arms=(Arm("same", 1, 0.5),), arms_end=datetime(2100, 1, 1, tzinfo=UTC))
        workspace.records.set_traffic("adclick", rules, actor="ana", reason="a long one")
    assert call(["compare", "adclick", "--arms", "--project", str(tmp_path)], {}) == 0
    words = capfd.readouterr().out
    assert "is running" in words
    assert "The loop (mainspring up) ends it at 2100-01-01 00:00:00Z." in words
    with Workspace(load_settings(tmp_path, {}), FakeClock(END + timedelta(days=2))) as workspace:
        workspace.records.set_traffic("adclick", replace(rules, arms_end=END), actor="ana", reason="too late")
    assert call(["compare", "adclick", "--arms", "--project", str(tmp_path)], {}) == 0
    words = " ".join(capfd.readouterr().out.split())
    assert "It was to end at 2026-03-03 00:00:00Z, and does when the loop runs: mainspring up" in words


def test_a_part_of_a_test_is_asked_for_by_its_beginning(tested: Path, capfd: Any) -> None:
    arguments = ["compare", "adclick", "--arms", "--since", "2026-03-02 08:00", "--project", str(tested), "--json"]
    assert call(arguments, {}) == 0
    told = json.loads(capfd.readouterr().out)
    assert 0 < sum(group["answers"] for group in told["groups"]) < 2_000


def test_of_a_model_without_a_test_the_cure_is_told(tested: Path, capfd: Any) -> None:
    assert call(["compare", "other", "--arms", "--project", str(tested), "--json"], {}) == 2
    assert "mainspring traffic other" in json.loads(capfd.readouterr().out)["cure"]
