"""A training that nobody watches tells the log how it goes on."""

import logging

import pytest

from mainspring.domain.run import Stage
from mainspring.loop.lifecycle.logged_progress import LoggedProgress


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "mainspring")
    return caplog


def test_a_line_a_stage_and_one_for_each_better_trial(log: pytest.LogCaptureFixture) -> None:
    progress = LoggedProgress()
    progress.started("r1", None)
    progress.stage_ended(Stage.SNAPSHOT, 0.25, "1,500 rows")
    progress.trial_ended(0, "linear", 0.7, 0.7, 0.5, "complete", "")
    progress.trial_ended(1, "linear", 0.6, 0.7, 0.75, "complete", "")
    progress.trial_ended(2, "trees", None, 0.7, 0.8, "failed", "it ran out of memory")
    progress.trial_ended(3, "trees", 0.8, 0.8, 1.0, "complete", "")
    assert log.messages == [
        "the run r1 begins",
        "snapshot: 1,500 rows (0.2 s)",
        "trial 0: linear has 0.7, the best so far (50%)",
        "trial 2 of trees: it ran out of memory",
        "trial 3: trees has 0.8, the best so far (100%)",
    ]
    assert [one.levelname for one in log.records].count("WARNING") == 1


def test_one_that_goes_on_says_where(log: pytest.LogCaptureFixture) -> None:
    LoggedProgress().started("r1", Stage.GATES)
    assert log.messages == ["the run r1 goes on at gates"]
