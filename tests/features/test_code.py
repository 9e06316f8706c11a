"""The digest of a function changes with what it does, and with nothing else."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.features.code import _text_of, code_digest

_FUNCTION = """
import math

FACTOR = 2
CACHE = {}
OTHER = 5

def helper(x):
    return x + 1

def unused(x):
    return x

class Scaler:
    def scale(self, x):
        return x * FACTOR

def feature(x):
    CACHE[x] = helper(x)
    return Scaler().scale(CACHE[x]) + math.pi
"""


@pytest.fixture
def digest(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Of the function `feature` of a module with this text, after it ran."""

    def of(text: str) -> str:
        _text_of.cache_clear()
        number = len(list(tmp_path.iterdir()))
        path = tmp_path / f"code_{number}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("user_code.model", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["user_code.model"] = module
        spec.loader.exec_module(module)
        module.feature(3)
        return code_digest(module.feature)

    yield of
    sys.modules.pop("user_code.model", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x + 1", "x + 2"),
        ("x * FACTOR", "x + FACTOR"),
        ("FACTOR = 2", "FACTOR = 3"),
        ("CACHE = {}", "CACHE = {1: 1}"),
    ],
)
def test_an_edit_of_what_is_used_changes_it(digest: Callable[[str], str], old: str, new: str) -> None:
    assert digest(_FUNCTION) != digest(_FUNCTION.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("OTHER = 5", "OTHER = 6"), ("return x\n", "return -x\n"), ("import math", "\n\n\nimport math")],
)
def test_an_edit_of_anything_else_does_not(digest: Callable[[str], str], old: str, new: str) -> None:
    assert digest(_FUNCTION) == digest(_FUNCTION.replace(old, new))


def test_what_a_function_keeps_while_it_runs_does_not_change_it() -> None:
    seen: list[int] = []

    def feature(x: int) -> None:
        seen.append(x)

    before = code_digest(feature)
    feature(1)
    assert code_digest(feature) == before


def test_a_constant_of_the_function_around_it_counts() -> None:
    def made(factor: int) -> Callable[[int], int]:
        return lambda x: x * factor

    assert code_digest(made(2)) == code_digest(made(2))
    assert code_digest(made(2)) != code_digest(made(3))


def test_a_function_without_a_file_has_a_digest() -> None:
    first: dict[str, Callable[..., object]] = {}
    for name, body in (("a", "x + 1"), ("b", "x + 1"), ("c", "x * 2")):
        exec(f"def feature(x): return {body}", {"__name__": "typed"}, space := {})
        first[name] = space["feature"]
    assert code_digest(first["a"]) == code_digest(first["b"])
    assert code_digest(first["a"]) != code_digest(first["c"])
