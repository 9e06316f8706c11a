import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def promtool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Prometheus' own checker; a test that needs it skips where it is not installed."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("needs promtool: apt-get install prometheus")

    def run(*arguments: str | Path, read: str = "") -> subprocess.CompletedProcess[str]:
        command = [found, *map(str, arguments)]
        return subprocess.run(command, input=read, capture_output=True, text=True, check=False, timeout=60)

    return run
