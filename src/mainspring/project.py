"""Loads a user's project: `mainspring.toml` (where things live) and `model.py` (what the model is)."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mainspring.domain.feature_view import VIEW_SCHEMAS, FeatureView
from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.model import Model
from mainspring.domain.release import FEATURES
from mainspring.errors import DeclarationError, ModelFileError, ProjectError
from mainspring.project_code import MODEL_FILE, UserCode
from mainspring.settings import FILE_NAME, Settings, load_settings

SCHEMA_FILE = "schema.toml"


class Project:
    """A user's folder. `model.py` runs when first asked for, so that a broken one hinders only what needs it."""

    def __init__(self, root: Path, settings: Settings, environ: Mapping[str, str]) -> None:
        self.root = root
        """The folder, absolute."""
        self.settings = settings
        self.environ = environ
        """Where `$NAME` in a source's database URL is taken from."""

    @property
    def schema_path(self) -> Path:
        """Where the schema stands; the file may be absent."""
        return self.root / SCHEMA_FILE

    @property
    def model(self) -> Model:
        """Raises `ModelFileError` or `DeclarationError` as `load_project` does."""
        return self._loaded.model

    @property
    def views(self) -> dict[str, FeatureView]:
        """The feature views by name: those that `model.py` names, those of the model's features, and the views
        that these are over."""
        return self._loaded.views

    def view_schema_path(self, view: str) -> Path:
        """Where the schema of a view's source stands; the file may be absent."""
        return self.root / VIEW_SCHEMAS / f"{view}.toml"

    @property
    def features_code(self) -> bytes | None:
        """`features.py` as it was when it ran; `None` where nothing imports it."""
        return self._loaded.files.get(FEATURES)

    @property
    def source_files(self) -> tuple[Path, ...]:
        """`model.py` and the modules in the folder that it imports, relative to `root`, sorted."""
        return tuple(Path(name) for name in self._loaded.files)

    @property
    def code_digest(self) -> str:
        """SHA-256 over the names and contents of `source_files`, as they were when they ran."""
        return digest_json({name: digest_bytes(content) for name, content in self._loaded.files.items()})

    @cached_property
    def _loaded(self) -> "_Loaded":
        code = UserCode(self.root)
        module = code.run()
        model = _the_model(module)
        _check_functions(model, code)
        return _Loaded(model, _the_views(module, model), code.files())


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What `model.py` says, and the files of the code by name."""

    model: Model
    views: dict[str, FeatureView]
    files: dict[str, bytes]


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upward, that holds a `mainspring.toml`.

    Raises:
        ProjectError: there is none.
    """
    place = start.absolute()
    for folder in (place, *place.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise ProjectError(
        f"there is no project in {start}: no {FILE_NAME} there or in a folder above",
        cure="go to the project's folder, name it with --project, or make one: "
        "mainspring init DIR --data FILE --target COLUMN",
        where={"folder": str(start)},
    )


def open_project(start: Path, environ: Mapping[str, str]) -> Project:
    """The project that `start` is in, without running its `model.py`.

    Raises:
        ProjectError: no project there.
        SettingsError: `mainspring.toml` or the environment is wrong.
    """
    root = find_root(start)
    return Project(root, load_settings(root, environ), environ)


def load_project(start: Path, environ: Mapping[str, str]) -> Project:
    """The project that `start` is in, its `model.py` run.

    Raises:
        ProjectError: no project there.
        SettingsError: `mainspring.toml` or the environment is wrong.
        ModelFileError: `model.py` does not load, or declares no model, two, or one without candidates.
        DeclarationError: a declaration in it makes no sense; `where` has the line.
    """
    project = open_project(start, environ)
    _ = project.model
    return project


def _the_model(module: types.ModuleType) -> Model:
    found = {id(v): (name, v) for name, v in reversed(vars(module).items()) if isinstance(v, Model)}
    models = list(found.values())
    if not models:
        raise ModelFileError(
            f"{MODEL_FILE} declares no Model",
            cure='write e.g. model = Model("clicks", source=Source("clicks.csv"), target="clicked")',
            where={"file": MODEL_FILE},
        )
    if len(models) > 1:
        names = ", ".join(f"{name} = Model({model.name!r})" for name, model in reversed(models))
        raise ModelFileError(
            f"{MODEL_FILE} declares {len(models)} models: {names}",
            cure="keep one; a second model is a project of its own",
            where={"file": MODEL_FILE},
        )
    name, model = models[0]
    if not model.candidates:
        raise ModelFileError(
            f"the model {model.name!r} in {MODEL_FILE} has no candidate",
            cure=f"write a function of a trial that returns an estimator, and put @{name}.candidate above it",
            where={"file": MODEL_FILE},
        )
    return model


def _the_views(module: types.ModuleType, model: Model) -> dict[str, FeatureView]:
    waiting = [value for value in vars(module).values() if isinstance(value, FeatureView)]
    waiting += model.views
    found: dict[str, FeatureView] = {}
    while waiting:
        view = waiting.pop(0)
        if found.setdefault(view.name, view) is not view:
            raise ModelFileError(
                f"{MODEL_FILE} declares two feature views named {view.name!r}",
                cure="give each a name of its own",
                where={"file": MODEL_FILE},
            )
        if isinstance(view.source, FeatureView):
            waiting.append(view.source)
    return found


def _check_functions(model: Model, code: UserCode) -> None:
    """A release takes `features.py` along and nothing else, so the functions of requests stand there."""
    module = code.module(FEATURES.removesuffix(".py"))
    for declared in model.request_features:
        function = declared.function
        stands_there = module is not None and vars(module).get(declared.name) is function
        if not stands_there or getattr(function, "__module__", None) != getattr(module, "__name__", None):
            raise DeclarationError(
                f"RequestFeatures({declared.name}) is no function of {FEATURES}",
                cure=f"write it in {FEATURES} beside {MODEL_FILE}; import features; "
                f"RequestFeatures(features.{declared.name}, …)",
                where={"file": MODEL_FILE},
            )
