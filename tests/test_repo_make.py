"""The two doors that a stranger tries first: `make` and `.ci/run`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What make needs of the repository, without an environment."""
    folder = tmp_path / "nested" / "repo"
    folder.mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    return folder


def test_help_is_the_default_and_names_every_target(copy: Path) -> None:
    done = make(copy)
    assert done.returncode == 0
    for target in ("demo", "test", "lint", "soak", "lock", "benchmark-pipeline", "benchmark-score", "clean"):
        assert f"make {target} " in done.stdout


@pytest.mark.parametrize("python", ["", "no-such-python", "false"])
def test_without_a_python_that_is_new_enough_it_says_so(copy: Path, python: str) -> None:
    done = make(copy, f"PYTHON={python}", "demo")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (copy / ".venv").exists()


def test_it_finds_the_python_that_runs_this_test(copy: Path) -> None:
    recipe = "\nwhich-python:\n\t@echo $(PYTHON)\n"
    (copy / "Makefile").write_text((copy / "Makefile").read_text() + recipe)
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    done = subprocess.run(
        ["make", "which-python"], cwd=copy, capture_output=True, text=True, check=True, env={"PATH": path}
    )
    assert done.stdout.startswith("python3")


@pytest.mark.parametrize("has_data", [True, False])
def test_ci_runs_make_test_with_the_data_beside_the_repository(copy: Path, tmp_path: Path, has_data: bool) -> None:
    data = copy.parent / "shared" / "data"
    if has_data:
        data.mkdir(parents=True)
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "make").write_text('#!/bin/sh\necho "$PWD|$*|${MAINSPRING_TEST_DATA:-none}"\n')
    (fake / "make").chmod(0o755)
    environment = {"PATH": f"{fake}{os.pathsep}/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", str(copy / ".ci" / "run")], cwd="/", capture_output=True, text=True, check=True, env=environment
    )
    folder, arguments, found = done.stdout.strip().split("|")
    assert Path(folder) == copy
    assert arguments.split()[-1] == "test"
    assert found == (str(data) if has_data else "none")
