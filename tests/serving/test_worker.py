"""What a worker imports, and what that costs."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "pandas", "polars", "pyarrow", "sqlalchemy", "sklearn", "mlflow", "typer", "rich", "optuna", "lightgbm",
    "onnx", "deltalake", "dbos", "scipy", "pandera", "joblib", "cloudpickle", "PIL", "psutil",
)  # fmt: skip

PROGRAM = """
import json, sys, time
from pathlib import Path
started = time.perf_counter()
import mainspring.serving.{name}
import onnxruntime
print(json.dumps({{
    "seconds": time.perf_counter() - started,
    "megabytes": int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6,
    "modules": sorted(name for name in sys.modules if "." not in name),
}}))
"""


@pytest.mark.parametrize("name", ["worker", "shadow"])
def test_what_answers_imports_nothing_heavy(name: str) -> None:
    program = PROGRAM.format(name=name)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert not set(HEAVY) & set(found["modules"])
    print(f"a {name} imports in {found['seconds']:.2f} s and takes {found['megabytes']:.0f} MB")
    assert found["megabytes"] < 110


def test_a_worker_is_started_by_its_parent_only() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mainspring.serving.worker"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "mainspring serve" in done.stderr
    assert "Traceback" not in done.stderr
