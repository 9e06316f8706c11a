"""The project that the simulations play."""

from pathlib import Path

import pytest

from mainspring.testing.turning import make_turning


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """A project that was never run, and its stream."""
    return make_turning(tmp_path / "visits")
