"""Fixtures of the tests of feature views."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.testing.offline import OfflineWorld, offline_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OfflineWorld]:
    """A folder with the stores that rows of views are kept in."""
    with offline_world(tmp_path) as world:
        yield world
