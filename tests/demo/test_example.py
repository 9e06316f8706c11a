import polars as pl
import pytest

from mainspring.data.schema_file import read_schema
from mainspring.demo.example import copy_example, example_folder
from mainspring.demo.files import found_agency, write_impressions
from mainspring.errors import UsageError
from mainspring.project import load_project


def test_the_example_loads_and_its_columns_are_those_of_the_data(tmp_path):
    from datetime import UTC, datetime

    copy_example(tmp_path / "demo")
    project = load_project(tmp_path / "demo", {})
    agency = found_agency(tmp_path, ads=5, visitors=10, seed=1)
    write_impressions(
        tmp_path / "impressions.csv", agency, 20, start=datetime(2026, 1, 5, tzinfo=UTC), days=1, seed=1
    )
    names = pl.read_csv(tmp_path / "impressions.csv").columns
    schema = read_schema(project.schema_path)
    assert list(schema.names) == names
    used = {*project.model.features, project.model.target, project.model.source.key, project.model.source.time}
    assert used <= set(names)
    assert set(project.model.candidates) == {"lightgbm", "boosted_trees", "linear"}


def test_a_second_demo_uses_the_folder_again_and_leaves_a_strangers_alone(tmp_path):
    copy_example(tmp_path / "demo")
    (tmp_path / "demo/data").mkdir()
    copy_example(tmp_path / "demo")
    (tmp_path / "demo/model.py").write_text("edited")
    with pytest.raises(UsageError, match="demo DIR"):
        copy_example(tmp_path / "demo")
    assert (tmp_path / "demo/model.py").read_text() == "edited"
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        copy_example(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    copy_example(tmp_path / "empty")
    assert (tmp_path / "empty/model.py").read_bytes() == (example_folder() / "model.py").read_bytes()
