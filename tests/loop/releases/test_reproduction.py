"""A refit from the sealed source and rows answers bit for bit as the release did, or says what differs."""

from pathlib import Path

import pytest

from mainspring.domain.budget import Budget
from mainspring.domain.release import ReleaseRef
from mainspring.errors import TamperedRelease
from mainspring.loop.lifecycle.workflow import run
from mainspring.loop.releases.comparison import compare
from mainspring.loop.releases.reproduction import reproduce
from mainspring.project import load_project, open_project
from mainspring.workspace import Workspace

SHOP = ReleaseRef("shop", 1)


def workspace_of(folder: Path) -> Workspace:
    return Workspace(load_project(folder, {}).settings)


def test_a_release_is_reproduced_without_its_model_and_without_the_project(released_shop: Path) -> None:
    for name in ("model.onnx", "model.skops"):
        (released_shop / ".mainspring" / "releases" / "shop" / "1" / name).unlink()
    (released_shop / "rows.csv").unlink()
    (released_shop / "model.py").write_text("raise SystemExit('not this one')\n")
    with Workspace(open_project(released_shop, {}).settings) as workspace:
        report = reproduce(workspace, SHOP, {})
    assert report.holds, report.differences
    assert report.golden_equal == report.golden_rows >= 200
    assert report.holdout_equal
    assert report.holdout_rows > 100


def test_a_source_that_was_touched_is_not_refitted(released_shop: Path) -> None:
    source = released_shop / ".mainspring" / "releases" / "shop" / "1" / "source" / "model.py"
    source.write_text(source.read_text().replace("0.1, 10", "0.1, 11"))
    with workspace_of(released_shop) as workspace, pytest.raises(TamperedRelease, match=r"model\.py"):
        reproduce(workspace, SHOP, {})


def test_two_releases_are_compared_on_the_same_rows(released_shop: Path) -> None:
    text = (released_shop / "model.py").read_text()
    for old, new in [
        ('["age", "spend", "city"]', '["age", "spend"]'),
        (', ("city", OneHotEncoder(handle_unknown="ignore"), ["city"])', ""),
        ("margin=0.05", "margin=0.5"),
    ]:
        assert old in text
        text = text.replace(old, new)
    (released_shop / "model.py").write_text(text)
    outcome = run(load_project(released_shop, {}), budget=Budget(trials=2))
    assert outcome.manifest is not None, outcome.error
    with workspace_of(released_shop) as workspace:
        found = compare(workspace, ReleaseRef("shop", 1), ReleaseRef("shop", 2), {})
    assert found.rows == outcome.manifest.training.rows_holdout
    assert found.gains["roc_auc"].value < 0
    assert found.differences["inputs"] == ("age, spend, city", "age, spend")
    own = found.metrics["roc_auc"]
    assert found.gains["roc_auc"].value == pytest.approx(own[1].value - own[0].value)
