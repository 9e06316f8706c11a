"""The faulty export of the demo, and who learns from it."""

import os
from datetime import UTC, datetime

import polars as pl
import pytest

from mainspring.data.schema_file import read_schema
from mainspring.demo.example import VIEWS, copy_example
from mainspring.demo.fault import export_with_a_fault, learn_from_it
from mainspring.demo.files import found_agency, write_impressions
from mainspring.errors import MainspringError
from mainspring.project import load_project


def test_the_export_has_the_clicks_the_wrong_way_round_and_nothing_else(tmp_path):
    copy_example(tmp_path)
    agency = found_agency(tmp_path / "data", ads=5, visitors=10, seed=1)
    place = tmp_path / "data" / "impressions.csv"
    write_impressions(place, agency, 50, start=datetime(2026, 1, 5, tzinfo=UTC), days=1, seed=1)
    project = load_project(export_with_a_fault(tmp_path), {})
    right, wrong = pl.read_csv(place), pl.read_csv(project.root / project.model.source.locations[0])
    assert wrong.drop("clicked").equals(right.drop("clicked"))
    assert (wrong["clicked"] + right["clicked"] == 1).all()
    assert read_schema(project.schema_path) == read_schema(tmp_path / "schema.toml")
    for name in ("ads.csv", "banners/ad-0004.png"):
        assert (project.root / "data" / name).read_bytes() == (tmp_path / "data" / name).read_bytes()
    whole = load_project(tmp_path, {})
    assert {name: list(view) for name, view in project.views.items()} == {
        name: list(view) for name, view in whole.views.items()
    }


def test_its_releases_go_into_the_production_of_the_project(tmp_path):
    copy_example(tmp_path)
    (tmp_path / "faulty" / VIEWS).write_bytes((tmp_path / VIEWS).read_bytes())
    whole, faulty = load_project(tmp_path, {}), load_project(tmp_path / "faulty", {})
    assert faulty.model.name == whole.model.name
    assert faulty.settings.workspace.resolve() == whole.settings.workspace.resolve()
    assert faulty.settings.records_url.replace("faulty/../", "") == whole.settings.records_url
    assert faulty.model.rollout is not None


def test_what_goes_wrong_in_its_process_is_told(tmp_path):
    with pytest.raises(MainspringError, match=r"the faulty release was not promoted: .* no mainspring\.toml"):
        learn_from_it(tmp_path, os.environ, 120.0)
