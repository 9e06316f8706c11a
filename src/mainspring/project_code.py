"""Runs the code of a user's project.

`model.py` and the modules beside it that it imports are run under private names, from the very bytes that the code
digest is taken over. Nothing is left in `sys.path`, so two projects with a `features.py` each live side by side in
one process, and a module of the user's never hides one of ours. Their `import` statements look into the project's
folder first, also later, when a candidate runs.
"""

import ast
import builtins
import contextlib
import difflib
import importlib
import importlib.util
import inspect
import itertools
import re
import sys
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.domain.aggregation import Aggregation
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.gate import Gate
from mainspring.domain.model import Model
from mainspring.domain.request_features import RequestFeatures
from mainspring.domain.retrain import Retrain
from mainspring.domain.rollout import Canary, Rollout
from mainspring.domain.source import Source
from mainspring.errors import MainspringError, ModelFileError
from mainspring.settings import FILE_NAME

MODEL_FILE = "model.py"


class UserCode:
    """The user's modules, run under the private package of this object."""

    _numbers = itertools.count(1)

    def __init__(self, root: Path) -> None:
        self._root = root
        self._package = f"_mainspring_project_{next(self._numbers)}"
        self._modules: dict[str, types.ModuleType] = {}
        self._contents: dict[str, bytes] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def run(self) -> types.ModuleType:
        """Run `model.py`.

        Raises:
            ModelFileError: it is absent, holds a syntax error or raises.
            DeclarationError: a declaration in it is wrong.
        """
        if not (self._root / MODEL_FILE).is_file():
            raise ModelFileError(
                f"there is no {MODEL_FILE} beside {FILE_NAME}",
                cure="write it, or let `mainspring init` write one from your data",
                where={"file": MODEL_FILE},
            )
        parent = types.ModuleType(self._package, "A user's project.")
        parent.__path__ = []
        sys.modules[self._package] = parent
        try:
            module = self._load("model")
        except BaseException as error:
            for name in [n for n in sys.modules if n == self._package or n.startswith(self._package + ".")]:
                del sys.modules[name]
            if isinstance(error, (Exception, SystemExit)):
                raise self._explain(error) from error
            raise
        _pickle_by_value(parent)
        return module

    def module(self, dotted: str) -> types.ModuleType | None:
        """A module of the project; `None` where nothing has imported it."""
        return self._modules.get(dotted)

    def files(self) -> dict[str, bytes]:
        """Relative path → content of every file of the project that belongs to the code.

        Besides what ran already, these are the modules that a function of them would import when called.
        """
        waiting = list(self._contents)
        while waiting:
            name = waiting.pop()
            try:
                imported = list(_imported_names(self._contents[name], name))
            except SyntaxError as error:
                error.filename = str(self._root / name)
                raise self._explain_syntax(error) from error
            for dotted in imported:
                for place in self._places(dotted):
                    if place not in self._contents:
                        self._contents[place] = (self._root / place).read_bytes()
                        waiting.append(place)
        return dict(sorted(self._contents.items()))

    def _places(self, dotted: str) -> Iterator[str]:
        """The files of a dotted name and of the packages that it is in, as far as they are the project's."""
        parts = dotted.split(".")
        for length in range(1, len(parts) + 1):
            place = self._place(".".join(parts[:length]))
            if place is None:
                return
            yield place

    def _place(self, dotted: str) -> str | None:
        stem = dotted.replace(".", "/")
        for place in (f"{stem}/__init__.py", f"{stem}.py"):
            if (self._root / place).is_file():
                return place
        return None

    def _load(self, dotted: str) -> types.ModuleType:
        known = self._modules.get(dotted)
        if known is not None:
            return known
        parent, _, leaf = dotted.rpartition(".")
        if parent:
            self._load(parent)
        place = self._place(dotted)
        if place is None:
            raise ModuleNotFoundError(f"No module named {dotted!r}", name=dotted)
        path = self._root / place
        content = path.read_bytes()
        self._contents[place] = content
        name = f"{self._package}.{dotted}"
        module = types.ModuleType(name)
        is_package = path.name == "__init__.py"
        module.__file__ = str(path)
        module.__package__ = name if is_package else name.rpartition(".")[0]
        if is_package:
            module.__path__ = []
        vars(module)["__builtins__"] = self._builtins
        # Registered before it runs, as Python does, for cycles and for dataclasses.
        self._modules[dotted] = sys.modules[name] = module
        try:
            exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 - the user's own
        except BaseException:
            del self._modules[dotted]
            sys.modules.pop(name, None)
            raise
        setattr(self._modules[parent] if parent else sys.modules[self._package], leaf, module)
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - Python's own names for them
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """What `import` does in the user's modules: the project's folder first, then as everywhere."""
        if level:
            package = str((globals or {}).get("__package__") or "")
            dotted = importlib.util.resolve_name("." * level + name, package).removeprefix(self._package)[1:]
        else:
            dotted = name
        top = dotted.partition(".")[0]
        if not level and (self._place(top) is None or top in sys.stdlib_module_names):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        # Nothing is left of the name in `from . import features` in a module at the top.
        module = self._load(dotted) if dotted else sys.modules[self._package]
        if not fromlist:
            return self._load(top)
        for item in fromlist:
            below = f"{dotted}.{item}" if dotted else item
            if not hasattr(module, item) and self._place(below) is not None:
                self._load(below)
        return module

    def _explain(self, error: Exception | SystemExit) -> MainspringError:
        """The user's mistake on one screen: file, line, the line itself, what was raised."""
        if isinstance(error, SyntaxError) and self._is_ours(error.filename):
            return self._explain_syntax(error)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if self._is_ours(f.filename)]
        file, line, text = MODEL_FILE, None, ""
        if frames:
            file, line, text = self._relative(frames[-1].filename), frames[-1].lineno, frames[-1].line or ""
        where = {"file": file, "line": line}
        place = f"{file}, line {line}" if line else file
        shown = f"\n    {text}" if text else ""
        if isinstance(error, MainspringError):
            return type(error)(f"{place}: {error.message}{shown}", cure=error.cure, where={**where, **error.where})
        kind = type(error).__name__
        cure = "mend that line"
        if isinstance(error, ModuleNotFoundError):
            cure = f"install the package that has {error.name!r}, or correct the name"
        elif isinstance(error, TypeError):
            cure = _argument_instead(str(error)) or cure
        return ModelFileError(f"{place} raised {kind}: {error}{shown}", cure=cure, where=where)

    def _explain_syntax(self, error: SyntaxError) -> ModelFileError:
        file = self._relative(str(error.filename))
        text = (error.text or "").rstrip()
        indent = len(text) - len(text.lstrip())
        caret = " " * max(0, (error.offset or 1) - 1 - indent) + "^"
        shown = f"\n    {text.lstrip()}\n    {caret}" if text else ""
        return ModelFileError(
            f"{file}, line {error.lineno} is no valid Python: {error.msg}{shown}",
            cure="mend that line",
            where={"file": file, "line": error.lineno, "column": error.offset},
        )

    def _is_ours(self, filename: str | None) -> bool:
        return filename is not None and Path(filename).is_relative_to(self._root)

    def _relative(self, filename: str) -> str:
        return Path(filename).relative_to(self._root).as_posix()


def _argument_instead(problem: str) -> str:
    """The argument of a declaration that was meant by one that it does not have; else nothing."""
    found = re.match(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", problem)
    declarations = (Aggregation, Canary, FeatureView, Gate, Model, RequestFeatures, Retrain, Rollout, Source)
    kinds: dict[str, type] = {one.__name__: one for one in declarations}
    kind = kinds.get(found[1]) if found else None
    if found is None or kind is None:
        return ""
    names = list(inspect.signature(kind).parameters)
    near = difflib.get_close_matches(found[2], names, 1)
    return f"did you mean {near[0]}=?" if near else f"it takes {', '.join(names)}"


def _imported_names(content: bytes, place: str) -> Iterator[str]:
    """Dotted names, seen from the project's folder, that a file may import."""
    parts = place.removesuffix(".py").split("/")
    package = parts[:-1]
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _pickle_by_value(package: types.ModuleType) -> None:
    """A pickle of a function or class of the user's holds its code: no other process knows its private module."""
    for pickler in ("cloudpickle", "joblib.externals.cloudpickle"):  # joblib carries a copy of its own
        with contextlib.suppress(ImportError):  # without the extra `train` nothing is pickled
            importlib.import_module(pickler).register_pickle_by_value(package)
