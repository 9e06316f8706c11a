"""Loads `model.py` in a process that fits, so that what it defines can be pickled by value."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mainspring.domain.model import Model
from mainspring.errors import MainspringError, ModelFileError

_MODULE = "mainspring_project_model"


def load_model_file(path: Path, name: str) -> Model:
    """Run the file and give its model of this name.

    The functions and classes of the project's own modules are pickled by value from then on: the estimator must
    open where the project is not.

    Raises:
        ModelFileError: the file raises, or has no such model.
    """
    import cloudpickle

    before = set(sys.modules)
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise ModelFileError(f"{path.name} is no Python file", cure="name it model.py", where={"file": path.name})
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except MainspringError:
        raise
    except BaseException as error:
        line = line_within(error, path)
        raise ModelFileError(
            f"{path.name} does not load: {type(error).__name__}: {error}",
            cure=f"mend line {line}" if line else "mend the file",
            where={"file": path.name} | ({"line": line} if line else {}),
        ) from error
    for loaded in set(sys.modules) - before:
        place = getattr(sys.modules[loaded], "__file__", None)
        if place is not None and path.parent.resolve() in Path(place).resolve().parents:
            cloudpickle.register_pickle_by_value(sys.modules[loaded])
    for value in vars(module).values():
        if isinstance(value, Model) and value.name == name:
            return value
    raise ModelFileError(
        f"{path.name} has no model {name!r}",
        cure=f"declare Model({name!r}, …)",
        where={"file": path.name},
    )


def line_within(error: BaseException, path: Path) -> int | None:
    """The innermost line of the file through which the error passed, or `None`."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
