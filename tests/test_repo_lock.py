"""What is installed: pinned, hashed, without addresses, and just what the code imports."""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# Needed without an import of our own.
INDIRECT = {
    "httptools": "uvicorn's parser of HTTP, loaded by it",
    "lightgbm": "imported by the model.py that `init` writes",
    "protobuf": "the version that skl2onnx can read",
    "psycopg": "loaded by SQLAlchemy from the URL",
}


def declared() -> dict[str, Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra, more in PROJECT["optional-dependencies"].items():
        lines += more if extra != "all" else []
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def locked() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9_.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@functools.cache
def owners() -> Mapping[str, list[str]]:
    """What is imported as → the packages that bring it, in this environment."""
    return metadata.packages_distributions()


@functools.cache
def imported() -> dict[str, set[str]]:
    """Third-party packages by what they are imported as → the files of `src` that do."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "src").rglob("*.py"):
        if "testing" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names} - {"mainspring"} - sys.stdlib_module_names:
                found.setdefault(name, set()).add(str(file.relative_to(ROOT)))
    return found


def test_every_pin_has_hashes_and_nothing_names_an_address() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) > 50
    for block in blocks:
        assert re.match(r"[a-z0-9_.-]+==\S+( ; [^\\]+)? \\\n", block), f"no pin: {block[:80]}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}$", block), f"no hash: {block[:80]}"
    assert not re.search(r"https?:|file:|index|find-links| @ ", LOCK)


def test_the_lock_satisfies_every_declared_range() -> None:
    pins = locked()
    for name, requirement in declared().items():
        assert name in pins, f"{name} is not in requirements.lock: make lock"
        for version in pins[name]:
            assert requirement.specifier.contains(version), f"{requirement} but the lock has {version}"


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_dependency_has_a_lower_bound_and_is_imported(name: str) -> None:
    requirement = declared()[name]
    assert any(bound.operator == ">=" for bound in requirement.specifier), f"{requirement} has no lower bound"
    assert not any(bound.operator == "==" for bound in requirement.specifier), f"{requirement} is a pin"
    modules = {module for module, names in owners().items() if name in map(canonicalize_name, names)}
    used = name in INDIRECT or bool(modules & imported().keys())
    assert used, f"nobody imports {name}: drop it"


def test_every_imported_package_is_declared() -> None:
    names = declared().keys()
    undeclared = {
        module: sorted(files)
        for module, files in imported().items()
        if not {canonicalize_name(owner) for owner in owners().get(module, [])} & names
    }
    assert undeclared == {}
