"""The rules of the house that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "mainspring"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 400
# Who may look at the clock, the dice and the environment; seeding is what the dice are for.
OPEN = {"settings.py", "clock.py", "cli/main.py", "training/seeding.py"}
FORBIDDEN = (
    "os.getenv", "os.environ.get", "time.time", "time.time_ns", "datetime.now", "datetime.utcnow",
    "date.today", "random.random", "random.seed", "random.choice",
)  # fmt: skip


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def looks_outside(source: str) -> Iterator[str]:
    """Reads of the clock, the dice or a variable. That a child gets our environment as it is, is no read."""
    nodes = list(ast.walk(ast.parse(source)))
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    imported = {(alias.asname or alias.name).partition(".")[0] for alias in imports}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            if name.partition(".")[0] in imported and any(f".{name}".endswith(f".{wrong}") for wrong in FORBIDDEN):
                yield f"{node.lineno}: {name}"
        elif isinstance(node, ast.Subscript) and (dotted(node.value), type(node.ctx)) == ("os.environ", ast.Load):
            yield f"{node.lineno}: os.environ[…]"


def test_no_file_is_two_ideas() -> None:
    long = {str(f.relative_to(SOURCE)): n for f in FILES if (n := len(f.read_text().splitlines())) > LONGEST}
    assert long == {}


def test_clock_dice_and_environment_are_passed_in() -> None:
    closed = [f for f in FILES if str(f.relative_to(SOURCE)) not in OPEN and "testing" not in f.parts]
    found = [f"{f.relative_to(SOURCE)}:{place}" for f in closed for place in looks_outside(f.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.time()",
        "import datetime; datetime.datetime.now()",
        "from datetime import datetime; datetime.now()",
        "import os; os.environ['A']",
        "import os; os.environ.get('A')",
        "import numpy as np; np.random.seed(1)",
    ],
)
def test_the_rule_sees_a_breach(code: str) -> None:
    assert list(looks_outside(code))


@pytest.mark.parametrize(
    "code", ["clock.now()", "import os; os.environ['A'] = '1'", "import os; {**os.environ}", "random.choice(1)"]
)
def test_the_rule_sees_none_where_there_is_none(code: str) -> None:
    assert not list(looks_outside(code))


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc"])
def test_no_file_is_named_after_nothing(name: str) -> None:
    assert [str(f) for f in FILES if f.stem == name] == []
