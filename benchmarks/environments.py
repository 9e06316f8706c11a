"""Environments of the peers' own: one for each list of requirements, kept under build/ until the list changes."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness import ROOT, say

PLACE = ROOT / "build" / "benchmark-envs"
_UV = Path(sys.executable).with_name("uv")
# What the original estimator was fitted with: it is opened with nothing else.
_MODEL = ("cloudpickle", "lightgbm", "numpy", "pandas", "scikit-learn")


class NoEnvironment(Exception):
    """The environment could not be made; the message says why."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        versions: of what was asked for.
    """

    folder: Path
    versions: dict[str, str]

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def tool(self, name: str) -> str:
        """A program that a package brought."""
        return str(self.folder / "bin" / name)


def environment(name: str, requirements: Sequence[str], *, with_model: bool) -> Environment:
    """The environment of this name, made anew where the list has changed.

    Args:
        with_model: it opens the original estimator, so it gets the versions that are in use here.

    Raises:
        NoEnvironment: the packages do not resolve, or do not install.
    """
    wanted = [*requirements, *(f"{one}=={metadata.version(one)}" for one in _MODEL if with_model)]
    python = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256("\n".join([python, *wanted]).encode()).hexdigest()
    folder = PLACE / name
    stamp = folder / "requirements.sha256"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        say(f"making the environment of {name}")
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *wanted)
        stamp.write_text(digest, encoding="utf-8")
    listed = json.loads(_uv("pip", "list", "--format", "json", "--python", str(folder / "bin" / "python")))
    names = {_bare(one) for one in wanted}
    return Environment(folder, {one["name"]: one["version"] for one in listed if one["name"] in names})


def _bare(requirement: str) -> str:
    for sign in "=<>[!~ ":
        requirement = requirement.partition(sign)[0]
    return requirement


def _uv(*arguments: str) -> str:
    done = subprocess.run([_UV, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NoEnvironment(f"uv {arguments[0]} {arguments[1]}: {done.stderr.strip()[-600:]}")
    return done.stdout
