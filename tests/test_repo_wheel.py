"""What an installed package has: the code, the demo's project, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    pytest.importorskip("hatchling", reason="needs the build backend")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_it_holds_the_code_its_types_and_the_demos_project(wheel: list[str]) -> None:
    for name in (
        "__init__.py",
        "py.typed",
        "cli/main.py",
        "demo/adstocrat/model.py",
        "demo/adstocrat/views.py",
        "demo/adstocrat/mainspring.toml",
        "demo/adstocrat/faulty/model.py",
    ):
        assert f"mainspring/{name}" in wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_it_holds_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mainspring"}
    assert [name for name in wheel if name.endswith((".csv", ".parquet", ".png", ".pyc", ".db"))] == []
