"""Runs the functions of `features.py`: the same code on training rows and on the rows of a request.

The file is sealed with a release, and runs in the process that answers. So it may import NumPy and those modules
of the standard library that compute, and no others: what it gives follows from its arrays alone. That is a guard
against mistakes, not against malice, which the release's signature keeps out.

Imports the standard library and numpy: gateway workers use it.
"""

import ast
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import FEATURES, FunctionInput, InputField
from mainspring.domain.schema import Column, Kind
from mainspring.errors import FeatureError

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[Any]]

# What computes, and reads no file, clock, network or random number.
_MODULES = re.compile(
    "__future__|abc|array|base64|binascii|bisect|calendar|cmath|collections|colorsys|copy|dataclasses|datetime|"
    "decimal|difflib|enum|fractions|functools|hashlib|heapq|html|ipaddress|itertools|json|math|numbers|numpy|"
    "operator|re|statistics|string|struct|textwrap|types|typing|unicodedata|urllib|zlib|zoneinfo"
)
_REFUSED_MODULES = frozenset(
    {"numpy.random", "numpy.ctypeslib", "numpy.testing", "numpy.f2py", "urllib.request", "urllib.robotparser"}
)
_BUILTINS = frozenset({"open", "exec", "eval", "compile", "__import__", "input", "breakpoint"})
_NUMPY_FILES = frozenset(
    {"load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt", "fromfile", "memmap"}
)
_NUMPY_NAMES = frozenset({"np", "numpy"})
_FLOATS = frozenset({Kind.NUMBER, Kind.INTEGER, Kind.BOOLEAN, Kind.TIME})


def check_source(source: bytes) -> None:
    """Raises `FeatureError` where `features.py` does what no request may do; it names the line.

    Examples:
        >>> check_source(b"import numpy as np\\nfrom math import pi\\n")
        >>> check_source(b"import pandas as pd\\n")
        Traceback (most recent call last):
        mainspring.errors.FeatureError: features.py, line 1: imports pandas; import NumPy and what computes in \
the standard library only, e.g. math, datetime, re
    """
    _parsed(source)


class RequestFunctions:
    """The functions of one `features.py` that a release takes.

    Args:
        source: of the file.
        functions: by name, with what they take and give.
        fields: that they are given, among others.

    Attributes:
        fields: of those the ones that some function takes.
        outputs: the names of all that they give, in order.

    Raises:
        FeatureError: the file does what no request may do, does not run, or has no function of such a name.

    Examples:
        >>> code = b"import numpy as np\\ndef wave(x): return {'sine': np.sin(x['hour'] / 24 * 2 * np.pi)}"
        >>> wave = FunctionInput("wave", ("hour",), ("sine",))
        >>> RequestFunctions(code, [wave], [InputField("hour", Kind.INTEGER)]).compute({"hour": np.array([6.0])})
        {'sine': array([1.])}
    """

    def __init__(
        self, source: bytes, functions: Sequence[FunctionInput], fields: Sequence[InputField | Column]
    ) -> None:
        module = _run(source)
        self._functions = []
        for one in functions:
            function = getattr(module, one.name, None)
            if not callable(function):
                raise FeatureError(
                    f"{FEATURES} has no function {one.name!r}",
                    cure="define it there, at the top level",
                    where={"file": FEATURES, "function": one.name},
                )
            self._functions.append((one, function))
        taken = {name for one in functions for name in one.inputs}
        self.fields = tuple(field for field in fields if field.name in taken)
        self.outputs = tuple(name for one in functions for name in one.outputs)

    def compute(self, columns: Columns) -> dict[str, Floats]:
        """What the functions give, in order.

        Args:
            columns: of each of `fields` the values: float64 (NaN where missing) of numbers, booleans and times
                (seconds since the epoch), else objects that are texts (None where missing).

        Raises:
            FeatureError: a function raised, or gave something else than one finite number or NaN for each row.
        """
        found: dict[str, Floats] = {}
        for one, function in self._functions:
            given = {name: _sealed(columns[name]) for name in one.inputs}
            rows = len(given[one.inputs[0]])
            try:
                with np.errstate(all="ignore"):
                    answer = function(given)
            except Exception as error:  # the user's code may raise anything
                raise _wrong(one, f"raised {type(error).__name__}{_line_of(error)}: {str(error)[:300]}") from error
            found.update(_checked(one, answer, rows))
        return found


def column_array(values: Sequence[object], kind: Kind) -> npt.NDArray[Any]:
    """The values of one column as a function gets them.

    Args:
        values: floats (NaN where missing) or texts (None where missing).

    Examples:
        >>> column_array(["mail", None], Kind.CATEGORY).tolist()
        ['mail', None]
    """
    if kind in _FLOATS:
        return np.asarray(values, dtype=np.float64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _sealed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values, which no function can change under the feet of the next."""
    seen = values.view()
    seen.flags.writeable = False
    return seen


def _checked(one: FunctionInput, answer: object, rows: int) -> Iterator[tuple[str, Floats]]:
    if not isinstance(answer, Mapping):
        raise _wrong(one, f"gave {type(answer).__name__}, not a dict of arrays")
    if set(answer) != set(one.outputs):
        raise _wrong(
            one,
            f"gave {_listed(answer)}, and its outputs are {_listed(one.outputs)}",
            "give exactly those, or change outputs= in model.py",
        )
    for name in one.outputs:
        values = np.asarray(answer[name])
        if values.shape != (rows,):
            shape = f"{len(values):,} values" if values.ndim == 1 else f"an array of shape {list(values.shape)}"
            raise _wrong(one, f"gave {shape} of {name!r} for {rows:,} rows")
        if values.dtype.kind not in "fiub":
            raise _wrong(one, f"gave {name!r} as {values.dtype}, not as numbers")
        numbers = values.astype(np.float64)
        if np.isinf(numbers).any():
            row = int(np.isinf(numbers).argmax())
            raise _wrong(one, f"gave {numbers[row]} as {name!r} of row {row}", "give NaN where there is no number")
        yield name, numbers


def _run(source: bytes) -> ModuleType:
    tree = _parsed(source)
    module = ModuleType(f"mainspring_request_features_{digest_bytes(source)[:12]}")
    module.__file__ = FEATURES
    try:
        # Dataclasses look for their module by its name while they are made.
        sys.modules[module.__name__] = module
        exec(compile(tree, FEATURES, "exec"), module.__dict__)  # noqa: S102
    except Exception as error:
        raise FeatureError(
            f"{FEATURES} does not run: {type(error).__name__}{_line_of(error)}: {str(error)[:300]}",
            cure="mend it; it is run in every process that answers",
            where={"file": FEATURES},
        ) from error
    finally:
        sys.modules.pop(module.__name__, None)
    return module


def _parsed(source: bytes) -> ast.Module:
    try:
        tree = ast.parse(source, FEATURES)
    except (SyntaxError, ValueError) as error:
        raise _refused(getattr(error, "lineno", None) or 1, f"is no Python: {error}", "mend that line") from error
    for node in ast.walk(tree):
        _check(node)
    return tree


def _check(node: ast.AST) -> None:
    line = getattr(node, "lineno", 1)
    if isinstance(node, ast.Import):
        for alias in node.names:
            _check_import(alias.name, line)
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            raise _refused(line, "imports another module of the project", _ONE_FILE)
        for alias in node.names:
            _check_import(node.module or "", line)
            _check_import(f"{node.module}.{alias.name}", line)
            if node.module == "numpy" and alias.name in _NUMPY_FILES:
                raise _refused(line, f"reads or writes files with numpy.{alias.name}", _COMPUTES)
    elif isinstance(node, ast.Name) and node.id in _BUILTINS and isinstance(node.ctx, ast.Load):
        raise _refused(line, f"uses {node.id}", _COMPUTES)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _NUMPY_NAMES:
        if node.attr in _NUMPY_FILES:
            raise _refused(line, f"reads or writes files with numpy.{node.attr}", _COMPUTES)
        if node.attr == "random":
            raise _refused(line, "draws random numbers", _COMPUTES)


def _check_import(name: str, line: int) -> None:
    root = name.partition(".")[0]
    computes = _MODULES.fullmatch(root) is not None
    if not computes or name in _REFUSED_MODULES:
        shown = name if computes else root
        known = root in sys.stdlib_module_names or root == "numpy"
        raise _refused(line, f"imports {shown}", _COMPUTES if known else _IMPORTS)


_IMPORTS = "import NumPy and what computes in the standard library only, e.g. math, datetime, re"
_COMPUTES = f"compute from the given arrays alone; {_IMPORTS}"
_ONE_FILE = f"write what it needs into {FEATURES} itself, which alone goes with a release"


def _refused(line: int, problem: str, cure: str) -> FeatureError:
    return FeatureError(f"{FEATURES}, line {line}: {problem}", cure=cure, where={"file": FEATURES, "line": line})


def _wrong(one: FunctionInput, problem: str, cure: str = "") -> FeatureError:
    return FeatureError(
        f"the function {one.name!r} of {FEATURES} {problem}",
        cure=cure or "let it take a dict of arrays and give one of numbers, one a row, NaN where there is none",
        where={"file": FEATURES, "function": one.name},
    )


def _line_of(error: BaseException) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FEATURES]
    return f" in line {lines[-1]}" if lines else ""


def _listed(names: object) -> str:
    found = [str(name)[:60] for name in names][:10] if isinstance(names, Mapping | Sequence) else []
    return ", ".join(found) if found else "nothing"
