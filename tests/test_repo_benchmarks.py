"""What no test runs still finds what it imports."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("file", sorted(BENCHMARKS.glob("*.py")), ids=lambda file: file.stem)
def test_a_benchmark_imports_what_is_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mainspring":
            module = import_module(str(node.module))
            for name in node.names:
                found = hasattr(module, name.name) or import_module(f"{node.module}.{name.name}")
                assert found, f"{file.name}, line {node.lineno}"
