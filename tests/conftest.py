"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that needs one skips where the machine has none."""
    place = os.environ.get("MAINSPRING_TEST_DATA")
    if not place or not Path(place).is_dir():
        pytest.skip("needs the real data sets: set MAINSPRING_TEST_DATA to their folder")
    return Path(place)
