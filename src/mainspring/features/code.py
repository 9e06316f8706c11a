"""What a function of the user's does, as a digest: its own text, and that of all it uses of the user's files."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from mainspring.domain.ids import digest_json

_PLAIN = (int, float, str, bytes, tuple, frozenset)  # of these the value itself cannot change while it is used


def code_digest(function: Callable[..., Any]) -> str:
    """SHA-256 of the text of a function, of the functions and classes of the same project that it names, and of
    the statements that make the constants which it names. An edit elsewhere in the file leaves it as it is, and
    so does running it.

    Examples:
        >>> code_digest(code_digest) == code_digest(code_digest)
        True
    """
    found: dict[str, str] = {}
    _collect(function, _home(function.__module__), found)
    return digest_json(found)


def _collect(thing: Any, home: str, found: dict[str, str]) -> None:
    name = f"{thing.__module__.removeprefix(home)}:{thing.__qualname__}"
    if name in found:
        return
    try:
        found[name] = inspect.getsource(thing)
    except (OSError, TypeError):  # typed in at a prompt: there is no file
        found[name] = _bytecode(thing)
    for module, used_as, used in _used(thing):
        if isinstance(used, types.FunctionType | type):
            if _home(used.__module__) == home:
                _collect(used, home, found)
        elif (statements := _assignments(module, used_as)) is not None:
            found[f"{module.removeprefix(home)}.{used_as}"] = statements
        elif isinstance(used, _PLAIN):
            found[f"{name}:{used_as}"] = repr(used)


def _used(thing: Any) -> Iterator[tuple[str, str, Any]]:
    """What a function or class names, also `module.thing`: the module, the name in it, and what it is."""
    functions = (
        [thing] if inspect.isfunction(thing) else [f for f in vars(thing).values() if inspect.isfunction(f)]
    )
    for function in functions:
        closure = inspect.getclosurevars(function)
        for name, value in closure.nonlocals.items():
            yield "", name, value
        for name, value in closure.globals.items():
            yield function.__module__, name, value
            if isinstance(value, types.ModuleType) and _home(value.__name__) == _home(function.__module__):
                for attribute in sorted(closure.unbound & set(vars(value))):
                    yield value.__name__, attribute, vars(value)[attribute]


def _home(module: str) -> str:
    """The package that a module is in: a project's modules are in one of their own (see `project`)."""
    return module.partition(".")[0]


def _assignments(module: str, name: str) -> str | None:
    """The statements at the top of a module that make a name; `None` where there are none."""
    text = _text_of(module)
    if text is None:
        return None
    made = [
        ast.unparse(statement)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and any(isinstance(node, ast.Name) and node.id == name for node in _targets(statement))
    ]
    return "\n".join(made) or None


def _targets(statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[ast.AST]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return (node for target in targets for node in ast.walk(target))


@lru_cache(maxsize=64)
def _text_of(module: str) -> str | None:
    try:
        return inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return None


def _bytecode(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    return repr((code.co_code, code.co_names, code.co_varnames)) if code is not None else repr(thing)
