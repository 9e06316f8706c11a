"""What an import costs: the command line answers at once, and serving needs no training library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "mainspring"
HEAVY = "polars pandas pyarrow deltalake sqlalchemy sklearn scipy river mlflow optuna lightgbm pandera onnx onnxruntime dbos PIL numpy uvicorn skl2onnx skops"  # noqa: E501
TRAIN = "cloudpickle dbos lightgbm mlflow onnx optuna pandas pandera PIL sklearn skops skl2onnx psycopg river"

_BLOCKED = """
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {blocked!r}.split():
            raise ModuleNotFoundError(f'{{name}} is blocked', name=name)
sys.meta_path.insert(0, Blocked())
for module in {modules!r}:
    importlib.import_module(module)
"""


def python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def modules_of(*packages: str) -> list[str]:
    files = [file for package in packages for file in sorted((SOURCE / package).rglob("*.py"))]
    names = [".".join(("mainspring", *file.relative_to(SOURCE).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("module", ["mainspring", "mainspring.cli.main"])
def test_the_front_door_imports_nothing_heavy(module: str) -> None:
    python(_BLOCKED.format(blocked=HEAVY, modules=[module]))


def test_serving_and_scoring_install_without_the_training_extra() -> None:
    modules = [
        *modules_of("domain", "stats", "serving", "batch", "monitoring", "deploy", "cli"),
        "mainspring.release.opening",
    ]
    python(_BLOCKED.format(blocked=TRAIN, modules=modules))


def test_packages_import_nothing() -> None:
    """An empty `__init__` is what keeps the import of one module from being the import of all."""
    for file in SOURCE.rglob("__init__.py"):
        if file.parent == SOURCE:
            continue
        body = ast.parse(file.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) for node in body), f"{file.relative_to(SOURCE)} does more than say"
