import polars as pl
import pytest

from mainspring.data.schema_file import read_schema
from mainspring.demo.example import copy_example, example_folder
from mainspring.demo.files import found_agency, write_impressions, write_visits
from mainspring.demo.traffic import VISITS
from mainspring.demo.visits import draw_visits
from mainspring.errors import UsageError
from mainspring.project import load_project


def test_the_example_loads_and_its_columns_are_those_of_the_data(tmp_path):
    from datetime import UTC, datetime

    copy_example(tmp_path / "demo")
    project = load_project(tmp_path / "demo", {})
    agency, start = found_agency(tmp_path, ads=5, visitors=10, seed=1), datetime(2026, 1, 5, tzinfo=UTC)
    write_impressions(tmp_path / "impressions.csv", agency, 20, start=start, days=1, seed=1)
    names = pl.read_csv(tmp_path / "impressions.csv").columns
    schema = read_schema(project.schema_path)
    assert list(schema.names) == names
    model = project.model
    used = {*model.plain_features, model.target, model.source.key, model.source.time}
    used |= {key for view in model.views for key in view.keys}
    assert used <= set(names)
    write_visits(tmp_path / "visits.csv", draw_visits(agency, start=start, days=7, seed=1))
    columns = {place: pl.read_csv(tmp_path / place).columns for place in ("ads.csv", "visits.csv")}
    for view in model.views:
        known = columns[view.root.locations[0].removeprefix("data/")]
        named = (*view.keys, view.time, *(one.column for one in view.aggregations if one.column), view.root.images)
        assert {name for name in named if name} <= set(known)
    assert [view.name for view in model.views] == ["creative", VISITS]
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
