import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.errors import DeclarationError, ModelFileError, ProjectError, SettingsError
from mainspring.project import load_project, open_project

GOOD = """\
from mainspring import Model, Source

model = Model("demo", source=Source("rows.csv"), target="y")


@model.candidate
def one(trial):
    return object()
"""


def write(root: Path, text: str = GOOD, **others: str) -> Path:
    (root / "mainspring.toml").touch()
    (root / "model.py").write_text(text)
    for name, content in others.items():
        path = root / (f"{name}.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return root


def test_a_project_is_found_from_a_folder_below_it(tmp_path):
    write(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    project = load_project(tmp_path / "a/b", {})
    assert project.root == tmp_path
    assert project.model.name == "demo"
    assert project.source_files == (Path("model.py"),)
    assert project.schema_path == tmp_path / "schema.toml"


def test_without_a_project_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(ProjectError, match="mainspring init"):
        load_project(tmp_path, {})


def test_loading_twice_sees_an_edit_and_leaves_no_trace(tmp_path):
    before, path = set(sys.modules), list(sys.path)
    write(tmp_path, "import helper\n" + GOOD, helper="x = 1")
    first = load_project(tmp_path, {})
    write(tmp_path, "import helper\n" + GOOD.replace('"demo"', '"domo"'), helper="x = 1")
    second = load_project(tmp_path, {})
    assert (first.model.name, second.model.name) == ("demo", "domo")
    assert first.code_digest != second.code_digest
    assert sys.path == path
    assert {name for name in set(sys.modules) - before if not name.startswith("_mainspring_project_")}.isdisjoint(
        {"helper", "model"}
    )
    assert not list(tmp_path.rglob("__pycache__"))


def test_two_projects_with_a_module_of_the_same_name_live_side_by_side(tmp_path):
    text = GOOD.replace("return object()", "from helper import x\n    return x").replace(
        "from mainspring", "import helper\nfrom mainspring", 1
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, text, helper=f"x = {name!r}")
    projects = [load_project(tmp_path / name, {}) for name in ("a", "b")]
    assert [p.model.candidates["one"](None) for p in projects] == ["a", "b"]


def test_packages_relative_and_late_imports_are_part_of_the_code(tmp_path):
    text = GOOD.replace("return object()", "import late\n    return late.value")
    write(
        tmp_path,
        "from pkg import inner\nimport pkg.deep as deep\nfrom helper import *\n"
        "assert inner.x == deep.x == z == 3\n" + text,
        helper="z = 3",
        late="from . import latest\nvalue = latest.value",
        latest="value = 9",
        unused="raise RuntimeError",
        **{
            "pkg/__init__": "from .inner import x",
            "pkg/inner": "x = 3",
            "pkg/deep": "from . import inner\nfrom .inner import x\nimport json, xml.dom\nassert json and xml.dom",
        },
    )
    project = load_project(tmp_path, {})
    assert project.model.candidates["one"](None) == 9
    assert [str(f) for f in project.source_files] == [
        "helper.py",
        "late.py",
        "latest.py",
        "model.py",
        "pkg/__init__.py",
        "pkg/deep.py",
        "pkg/inner.py",
    ]
    before = project.code_digest
    assert load_project(tmp_path, {}).code_digest == before
    (tmp_path / "latest.py").write_text("value = 8")
    assert load_project(tmp_path, {}).code_digest != before


def test_dataclasses_and_circular_imports_work(tmp_path):
    head = (
        "from __future__ import annotations\nimport dataclasses, typing\nfrom helper import late\n"
        "@dataclasses.dataclass\nclass Setting:\n    x: typing.ClassVar[int] = 1\n    y: int = 2\n"
    )
    write(tmp_path, head + GOOD, helper="import model\nlate = lambda: model.Setting()")
    assert load_project(tmp_path, {}).model.name == "demo"


def test_functions_and_classes_of_the_user_are_pickled_by_value(tmp_path):
    cloudpickle = pytest.importorskip("cloudpickle")
    text = GOOD.replace("return object()", "return Doubler()").replace(
        "model =",
        "import helper\n\nclass Doubler:\n    def predict(self, x):\n        return helper.twice(x)\n\nmodel =",
    )
    write(tmp_path, text, helper="def twice(x):\n    return 2 * x")
    doubler = load_project(tmp_path, {}).model.candidates["one"](None)
    pickled = tmp_path / "doubler.pkl"
    pickled.write_bytes(cloudpickle.dumps(doubler))
    (tmp_path / "model.py").unlink()
    code = f"import pickle; print(pickle.load(open({str(pickled)!r}, 'rb')).predict(21))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=False)
    assert done.stdout == "42\n", done.stderr


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("x = (\n", ["model.py, line 1 is no valid Python", "x = (", "^", "mend that line"]),
        ("a = 1\n  b = 2\n", ["model.py, line 2", "unexpected indent"]),
        ("a = 1\nb = a / 0\n", ["model.py, line 2 raised ZeroDivisionError", "b = a / 0"]),
        ("import no_such_thing_at_all\n", ["line 1", "ModuleNotFoundError", "install the package"]),
        (GOOD.replace('target="y"', 'target="y", hold_out=0.2'), ["hold_out", "did you mean holdout=?"]),
        ("import sys\nsys.exit(3)\n", ["line 2 raised SystemExit"]),
        ("x = 1\n", ["declares no Model", "model = Model("]),
        (GOOD + 'other = Model("second", source=Source("a"), target="b")\n', ["2 models", "demo", "second"]),
        (GOOD + "again = model\n", []),
        (GOOD.replace("@model.candidate", ""), ["has no candidate", "@model.candidate"]),
        ("x = '\x00'\n", ["model.py", "null bytes"]),
        ("x = '\xff'\n".encode("latin-1"), ["model.py", "utf-8"]),
    ],
)
def test_a_model_file_that_does_not_load_is_told_on_one_screen(tmp_path, text, phrases):
    write(tmp_path)
    (tmp_path / "model.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    if not phrases:
        assert load_project(tmp_path, {}).model.name == "demo"
        return
    with pytest.raises(ModelFileError) as caught:
        load_project(tmp_path, {})
    for phrase in phrases:
        assert phrase in str(caught.value)
    assert caught.value.where["file"] == "model.py"
    assert str(tmp_path) not in str(caught.value)


def test_an_error_in_a_helper_names_the_helper(tmp_path):
    write(tmp_path, "import helper\n" + GOOD, helper="def f():\n    return {}['a']\nf()")
    with pytest.raises(ModelFileError, match=r"helper\.py, line 2 raised KeyError"):
        load_project(tmp_path, {})
    write(tmp_path, "def late():\n    import helper\n" + GOOD, helper="def")
    with pytest.raises(ModelFileError, match=r"helper\.py, line 1 is no valid Python"):
        load_project(tmp_path, {})


def test_a_wrong_declaration_keeps_its_cure_and_gains_its_line(tmp_path):
    write(tmp_path, GOOD.replace('target="y"', 'target="y", holdout=2'))
    with pytest.raises(DeclarationError, match="give a number between 0 and 1") as caught:
        load_project(tmp_path, {})
    assert caught.value.where == {"file": "model.py", "line": 3}


def test_a_broken_model_file_hinders_only_what_needs_it(tmp_path):
    write(tmp_path, "1 / 0")
    project = open_project(tmp_path, {})
    assert project.settings.name == tmp_path.name
    with pytest.raises(ModelFileError):
        _ = project.model
    (tmp_path / "model.py").unlink()
    with pytest.raises(ModelFileError, match=r"there is no model\.py"):
        load_project(tmp_path, {})
    (tmp_path / "mainspring.toml").write_text("nonsense = 1")
    with pytest.raises(SettingsError):
        open_project(tmp_path, {})


VIEWS = """\
import features
from views import creative
from mainspring import FeatureView, Model, RequestFeatures, Source

other = FeatureView("wide", source=creative, key="ad_id", columns=["width"])
model = Model(
    "demo", source=Source("rows.csv", time="at"), target="y",
    features=[other["width"], RequestFeatures(features.double, inputs=["x"], outputs=["x2"])],
)


@model.candidate
def one(trial):
    return object()
"""
CREATIVE = """\
from mainspring import FeatureView, Source

creative = FeatureView("creative", source=Source("ads.csv", time="at"), key="ad_id", columns=["width"])
unused = FeatureView("unused", source=Source("ads.csv", time="at"), key="ad_id")
"""
DOUBLE = "def double(columns):\n    return {'x2': columns['x'] * 2}\n"


def test_views_are_those_of_the_model_and_those_they_are_over(tmp_path):
    write(tmp_path, VIEWS, views=CREATIVE, features=DOUBLE)
    project = load_project(tmp_path, {})
    assert set(project.views) == {"creative", "wide"}
    assert project.views["wide"].base is project.views["creative"]
    assert project.features_code == DOUBLE.encode()
    assert project.view_schema_path("creative") == tmp_path / "schemas" / "creative.toml"
    assert Path("features.py") in project.source_files


def test_two_views_of_one_name_are_refused(tmp_path):
    again = VIEWS.replace('FeatureView("wide"', 'FeatureView("creative"')
    write(tmp_path, again, views=CREATIVE, features=DOUBLE)
    with pytest.raises(ModelFileError, match="two feature views named 'creative'"):
        load_project(tmp_path, {})


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (VIEWS.replace("features.double", "lambda columns: columns"), DOUBLE),
        (VIEWS.replace("features.double", "double").replace("\nmodel =", "\ndef double(x): ...\n\nmodel ="), ""),
        (VIEWS, "from helper import double\n"),
    ],
)
def test_functions_of_requests_stand_in_features_py(tmp_path, model, features):
    write(tmp_path, model, views=CREATIVE, features=features, helper=DOUBLE)
    with pytest.raises(DeclarationError, match=r"is no function of features\.py"):
        load_project(tmp_path, {})


def test_a_wrong_argument_of_a_view_names_the_right_one(tmp_path):
    wrong = CREATIVE.replace('columns=["width"]', 'colums=["width"]')
    write(tmp_path, VIEWS, views=wrong, features=DOUBLE)
    with pytest.raises(ModelFileError, match="did you mean columns=") as caught:
        load_project(tmp_path, {})
    assert caught.value.where["file"] == "views.py"
