import ast
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mainspring.cli.main import call
from mainspring.data.schema_file import read_schema
from mainspring.domain.source import Source
from mainspring.project import load_project


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ["id;when;age;town;bought"]
    rows += [
        f"c{n:04d};2026-01-{1 + n % 28:02d};{20 + n % 50};{'abc'[n % 3]};{'yn'[n % 4 > 0]}" for n in range(400)
    ]
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_init_writes_a_project_that_loads_and_tells_what_it_guessed(folder, capfd):
    assert call(["init", "shop", "--data", "shop.csv", "--target", "bought"], {}) == 0
    out = capfd.readouterr().out
    for phrase in ("shop.csv: 400 rows, 5 columns", "binary", "bought", "cd shop && mainspring run", "feature"):
        assert phrase in out
    assert files(folder / "shop") == {"mainspring.toml", "model.py", "schema.toml", ".gitignore"}
    project = load_project(folder / "shop", {})
    model = project.model
    assert model.name == "shop"
    assert model.source.location == "../shop.csv"
    assert model.source.key == "id"
    assert model.source.time == "when"
    assert model.positive == "y"
    assert list(model.features) == ["age", "town"]
    assert str(model.gates[0]) == "roc_auc better than naive"
    assert read_schema(project.schema_path).names == ("id", "when", "age", "town", "bought")
    assert tomllib.loads((folder / "shop/mainspring.toml").read_text())["name"] == "shop"


def test_init_as_json_is_one_document(folder, capfd):
    assert call(["init", "shop", "--data", "shop.csv", "--target", "bought", "--json"], {}) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["task"] == "binary"
    assert {c["name"]: c["role"] for c in document["columns"]} == {
        "id": "key",
        "when": "time",
        "age": "feature",
        "town": "feature",
        "bought": "target",
    }
    assert all(column["why"] for column in document["columns"])


def test_without_a_target_init_lists_the_candidates_and_writes_nothing(folder, capfd):
    assert call(["init", "shop", "--data", "shop.csv"], {}) == 2
    assert "bought" in capfd.readouterr().out
    assert call(["init", "shop", "--data", "shop.csv", "--json"], {}) == 2
    document = json.loads(capfd.readouterr().out)
    assert document["target_candidates"][0]["column"] == "bought"
    assert document["exit_code"] == 2
    assert files(folder) == {"shop.csv"}


def test_init_does_not_overwrite_unless_forced(folder, capfd):
    (folder / "shop").mkdir()
    (folder / "shop/model.py").write_text("mine")
    (folder / "shop/.gitignore").write_text("mine")
    arguments = ["init", "shop", "--data", "shop.csv", "--target", "bought"]
    assert call(arguments, {}) == 2
    assert "--force" in capfd.readouterr().err
    assert (folder / "shop/model.py").read_text() == "mine"
    assert call([*arguments, "--force"], {}) == 0
    assert (folder / "shop/model.py").read_text() != "mine"
    assert (folder / "shop/.gitignore").read_text() == "mine"


def test_init_here_with_several_files_as_a_shell_writes_them(folder, capfd):
    text = (folder / "shop.csv").read_text()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(text.replace("c0", f"{name[0]}0"))
    assert call(["init", "--data", "a.csv", "b.csv", "--target", "bought", "--name", "shop"], {}) == 0
    assert load_project(folder, {}).model.source.locations == ("a.csv", "b.csv")


def test_data_through_a_link_or_by_an_absolute_path_is_found_from_the_project(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "link").symlink_to(elsewhere)
    assert call(["init", "link/shop", "--data", "shop.csv", "--target", "bought"], {}) == 0
    location = load_project(elsewhere / "shop", {}).model.source.location
    assert (elsewhere / "shop" / location).resolve() == (folder / "shop.csv").resolve()
    assert call(["init", "b", "--data", str(folder / "shop.csv"), "--target", "bought"], {}) == 0
    assert load_project(folder / "b", {}).model.source.location == str(folder / "shop.csv")


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["--data", "gone.csv", "--target", "y"], ["gone.csv", "shop.csv"]),
        (["--data", "shop.csv", "--target", "baught"], ["baught", "did you mean 'bought'"]),
        (["--data", "shop.csv", "--target", "bought", "--key", "idd"], ["idd", "id"]),
        (["--data", "shop.csv", "--target", "bought", "--time", "town"], ["town"]),
        (["--data", "shop.csv", "--target", "town", "--task", "regression"], ["town"]),
        (["--data", "shop.csv", "--target", "bought", "--name", "No Name"], ["No Name", "lower-case"]),
        (["--data", "empty.csv", "--target", "y"], ["empty.csv"]),
        (["--data", "sqlite://", "--target", "y"], ["query"]),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(folder, capfd, arguments, phrases):
    (folder / "empty.csv").touch()
    assert call(["init", "shop", *arguments], {}) in (1, 2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "cure: " in err
    for phrase in phrases:
        assert phrase in err
    assert files(folder) == {"shop.csv", "empty.csv"}
    assert not (folder / "shop").exists()


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@given(
    names=st.lists(NAMES, min_size=3, max_size=3, unique_by=lambda name: name.strip()),
    labels=st.lists(NAMES, min_size=2, max_size=2, unique_by=lambda name: name.strip().rstrip(".")),
)
@example(names=["value", "rows", "count"], labels=["a", "b"])
@example(names=["count", "len", "value"], labels=["1", "2"])
@example(names=["literal", "count", "index"], labels=["x", "y"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_data_a_project_is_valid_or_refused(tmp_path_factory, names, labels, capfd):
    import csv

    folder = tmp_path_factory.mktemp("hostile")
    with (folder / "x.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        writer.writerows([str(n), f"{labels[n % 2]}", f"{labels[n % 3 > 0]}"] for n in range(60))
    code = call(["init", str(folder / "p"), "--data", str(folder / "x.csv"), "--target", names[2]], {})
    err = capfd.readouterr().err
    assert "Traceback" not in err
    if code:
        assert not (folder / "p").exists()
        return
    tree = ast.parse((folder / "p/model.py").read_text(encoding="utf-8"))
    assert {n.name for n in tree.body if isinstance(n, ast.FunctionDef)} >= {"coded", "lightgbm"}
    schema = read_schema(folder / "p/schema.toml")
    model = load_project(folder / "p", {}).model
    assert model.target in schema
    assert set(model.features) <= set(schema.names)
    assert isinstance(model.source, Source)


@pytest.mark.parametrize(
    ("file", "target", "task", "features"),
    [
        ("adult/adult_train.csv", "income", "binary", 14),
        ("california_housing/housing.csv", "median_house_value", "regression", 9),
        ("telco_churn/telco_churn.csv", "Churn", "binary", 19),
        ("penguin/labelled.csv", "species", "multiclass", 4),
    ],
)
def test_real_data_becomes_a_project(tmp_path, real_data, file, target, task, features):
    assert call(["init", str(tmp_path / "p"), "--data", str(real_data / file), "--target", target], {}) == 0
    model = load_project(tmp_path / "p", {}).model
    assert model.task == task
    assert len(model.features) == features
    assert target not in model.features
    assert set(model.candidates) == {"boosted_trees", "lightgbm", "linear"}
