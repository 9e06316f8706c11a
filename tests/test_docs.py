"""The documents say what is so: links lead somewhere, the picture is its script's, figures were measured."""

import importlib.util
import json
import operator
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import mainspring

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RESULTS = ROOT / "benchmarks" / "results"


def load(script: Path) -> Any:
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if not re.match(r"https?:", target):
            assert (document.parent / target).exists(), f"{target} is not there"


def test_decisions_are_numbered_without_gaps_and_say_the_three_things() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), f"{page.name} starts with another number"
        for part in ("Context", "Choice", "cost"):
            assert part in text, f"{page.name} says nothing of {part}"


def test_the_picture_is_what_its_script_draws() -> None:
    module = load(ROOT / "docs" / "loop_picture.py")
    assert module.picture() == (ROOT / "docs" / "loop.svg").read_text(encoding="utf-8"), "run docs/loop_picture.py"


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert mainspring.__version__ == project["version"]
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_the_whole_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_figures_in_the_readme_are_the_benchmarks() -> None:
    """The section between the marks is made of the results alone; no table elsewhere quotes a figure."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = load(ROOT / "benchmarks" / "figures.py").section()
    assert section in readme, "run: python benchmarks/figures.py"
    prose = re.sub(r"^```.*?^```$", "", readme.replace(section, ""), flags=re.MULTILINE | re.DOTALL)
    claims = re.findall(r"\d[\d,.]*\s?(?:ms|µs|s|MB|GB|rows|requests|%|×)\b", prose)
    assert not claims, f"figures outside the measured section: {claims}"


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_result_says_where_it_was_measured_and_its_checks_follow_from_their_values(file: Path) -> None:
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["benchmark"] == file.stem
    assert result["machine"]["cores"] > 0
    assert {"python", "mainspring"} <= result["versions"].keys()
    assert result["checks"]
    compare = {"at_least": operator.ge, "at_most": operator.le, "equals": operator.eq}
    for check in result["checks"]:
        assert check["holds"] is compare[check["sense"]](check["value"], check["bar"]), check["name"]
