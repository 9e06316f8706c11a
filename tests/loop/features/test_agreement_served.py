"""A real gateway fetches features by key: it answers with what history gives, until its store is stale."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.connection_features import Features
from mainspring.demo.gateway import gateway
from mainspring.domain.prediction_log import predictions_table
from mainspring.loop.features.checking import check_agreement
from mainspring.project import load_project
from mainspring.settings import Settings
from mainspring.workspace import Workspace

pytestmark = pytest.mark.timeout(600)


def wait_for_rows(settings: Settings, rows: int) -> None:
    """Until so many answers have come to the table."""
    with Workspace(settings) as workspace:
        tables, table = workspace.tables, predictions_table("posters")
        for _ in range(600):
            if tables.exists(table) and tables.scan(table).collect().height >= rows:
                return
            SYSTEM_CLOCK.sleep(0.2)
    raise AssertionError("the answers did not come to the table")


def test_training_and_a_gateway_see_the_same_features(released_posters: Path) -> None:
    random, now = np.random.default_rng(3), SYSTEM_CLOCK.now()
    with (released_posters / "visits.csv").open("a") as file:
        for _ in range(600):
            at = now - timedelta(hours=float(random.uniform(0.1, 24 * 9)))
            file.write(f"v{random.integers(0, 120):03d},{at:%Y-%m-%dT%H:%M:%SZ},{random.integers(1, 9)}\n")
    project = load_project(released_posters, {})
    asked = [
        {
            "device": str(random.choice(["phone", "tv"])),
            "hour": int(random.integers(0, 24)),
            "ad_id": int(random.integers(0, 44)),
            "visitor": f"v{random.integers(0, 125):03d}",
        }
        for _ in range(300)
    ]
    with Workspace(project.settings) as workspace:
        for view in project.views:
            Features(workspace, project).materialize(view)
    with gateway(released_posters, {}, SYSTEM_CLOCK, token=None, patience=120) as client:
        answer = client.predict("posters", asked)
        wait_for_rows(project.settings, len(asked))
    assert len({one["probabilities"]["yes"] for one in answer["predictions"]}) > 100
    with Workspace(project.settings) as workspace:
        found = check_agreement(workspace, project, period=timedelta(hours=1))
        assert {one.view: (one.rows, one.agreeing) for one in found.views} == {
            "creative": (300, 300),
            "visitor": (300, 300),
        }, [one.worst for one in found.views]
    # Drawn anew before the answers, and the online store has not heard of it.
    before = now - timedelta(minutes=5)
    with (released_posters / "ads.csv").open("a") as file:
        file.write(f"7,{before:%Y-%m-%dT%H:%M:%SZ},{before:%Y-%m-%dT%H:%M:%SZ},1\n")
    with Workspace(project.settings) as workspace:
        creative, visitor = check_agreement(workspace, project, period=timedelta(hours=1)).views
    stale = sum(row["ad_id"] == 7 for row in asked)
    assert (creative.agreeing, visitor.agreeing) == (300 - stale, 300)
    assert {one.feature for one in creative.worst} == {"creative.brightness"}
    assert {one.recomputed for one in creative.worst} == {1 - 1 / 128}
