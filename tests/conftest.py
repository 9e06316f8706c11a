"""Fixtures that every test may use."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from mainspring.testing.posters import make_posters
from mainspring.testing.shop import make_shop

# The same cases at each run, so that a change is judged by what it changes; `make soak` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that needs one skips where the machine has none."""
    place = os.environ.get("MAINSPRING_TEST_DATA")
    if not place or not Path(place).is_dir():
        pytest.skip("needs the real data sets: set MAINSPRING_TEST_DATA to their folder")
    return Path(place)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small project that was never run."""
    return make_shop(tmp_path / "shop")


@pytest.fixture(scope="session")
def _first_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _released(make_shop(tmp_path_factory.mktemp("released") / "shop"), trials=2)


@pytest.fixture
def released_shop(_first_release: Path, tmp_path: Path) -> Path:
    """The small project after its first run, with the champion `shop@1`; a copy of the test's own."""
    return Path(shutil.copytree(_first_release, tmp_path / "shop"))


@pytest.fixture(scope="session")
def _first_posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _released(make_posters(tmp_path_factory.mktemp("released") / "posters"), trials=1)


@pytest.fixture
def released_posters(_first_posters: Path, tmp_path: Path) -> Path:
    """The small project with feature views after its first run, with the champion `posters@1`; a copy."""
    return Path(shutil.copytree(_first_posters, tmp_path / "posters"))


def _released(folder: Path, *, trials: int) -> Path:
    from mainspring.domain.budget import Budget
    from mainspring.loop.lifecycle.workflow import run
    from mainspring.project import load_project

    outcome = run(load_project(folder, {}), budget=Budget(trials=trials))
    assert outcome.manifest is not None, outcome.error
    return folder
