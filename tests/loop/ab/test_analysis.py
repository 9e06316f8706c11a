"""An A/B test from its first answer to its end, by answers and outcomes as a gateway stores them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.data.labels import DTYPES, label_frame
from mainspring.domain.feedback import message
from mainspring.domain.prediction_log import PREDICTION_COLUMNS, Role, labels_table, predictions_table
from mainspring.domain.release import Alias
from mainspring.domain.routing import Arm, Share, Traffic, assign
from mainspring.errors import UsageError
from mainspring.loop.ab.analysis import AbTest, GroupFigure, analyse
from mainspring.loop.ab.period import newest_test
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.testing.sealed import a_seal_order, put_sealed
from mainspring.workspace import Workspace

START = datetime(2026, 3, 2, 22, tzinfo=UTC)
HALVES = (Arm("control", 1, 0.5), Arm("new", 2, 0.5))
_SCHEMA: dict[str, Any] = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}


@dataclass
class Test:
    """A served model whose clients and whose clock this is."""

    __test__ = False

    workspace: Workspace
    clock: FakeClock
    random: np.random.Generator
    sent: int = 0

    def share(self, *arms: Arm, canary: Share | None = None) -> None:
        rules = Traffic(canary=canary, arms=arms)
        self.workspace.records.set_traffic("adclick", rules, actor="ana", reason="a test")
        self.clock.sleep(120)

    def serve(
        self,
        count: int,
        chances: dict[int, float],
        *,
        users: int = 0,
        lost: float = 0.0,
        hours: float = 4.0,
        rows: int = 1,
    ) -> None:
        """Answers over some hours, of each of which it is said whether a click followed.

        Args:
            chances: of a click, by the release that answered.
            users: who ask; each request is of another where not given, and each user has a taste of his own.
            lost: the share of the second release's answers that are lost.
            rows: of each request.
        """
        route = self.workspace.records.routes().of("adclick")
        assert route is not None
        tastes = self.random.beta(0.3, 2.7, max(users, 1))
        answers: list[dict[str, Any]] = []
        said = []
        for place in range(count):
            self.sent += 1
            user = int(self.random.integers(users)) if users else None
            key = f"user {user}" if users else f"request {self.sent}"
            chosen = assign(route.traffic, route.champion, key.encode(), salt="adclick")
            if chosen.number == 2 and self.random.random() < lost:
                continue
            at = self.clock.now() + timedelta(hours=hours) * (place / count)
            for row in range(rows):
                chance = chances[chosen.number] if user is None else tastes[user]
                clicked = bool(self.random.random() < chance)
                answers.append(self._answer(f"r{self.sent}", row, at, chosen, key if users and row == 0 else None))
                for name, label, value in (("label", "yes" if clicked else "no", None), ("click", None, clicked)):
                    said.append(self._said(f"r{self.sent}/{row}", name, label, value))
                if clicked:
                    said.append(self._said(f"r{self.sent}/{row}", "revenue", None, self.random.lognormal()))
        tables = self.workspace.tables
        frame = pl.DataFrame(answers, schema=_SCHEMA)
        tables.record(predictions_table("adclick"), frame, partition="day", offsets={})
        self.clock.sleep(hours * 3600)
        labels = label_frame(said, self.clock.now())
        tables.record(labels_table("adclick"), labels, partition="day", offsets={})
        self.clock.sleep(60)

    def _answer(self, request: str, row: int, at: datetime, chosen: Any, key: str | None) -> dict[str, Any]:
        return {
            "day": at.date(),
            "id": f"{request}/{row}",
            "request_id": request,
            "row": row,
            "at": at,
            "release": chosen.number,
            "role": str(chosen.role),
            "arm": chosen.arm,
            "key": key,
            "latency_us": 250,
            "prediction": "no",
            "value": 0.1,
            "outputs": [0.9, 0.1] if chosen.number == 1 else [0.8, 0.2],
        }

    @staticmethod
    def _said(prediction: str, name: str, label: str | None, value: float | None) -> Any:
        return message(
            prediction_id=prediction,
            key=None,
            name=name,
            label=label,
            value=None if value is None else float(value),
            happened_at=None,
            feedback_id=None,
        )

    def analyse(self, **options: Any) -> AbTest:
        return analyse(self.workspace, "adclick", **options)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealed")
    with Workspace(load_settings(root, {})) as workspace:
        for number in (1, 2):
            folder = workspace.settings.releases / "adclick" / str(number)
            manifest = seal(a_seal_order(rows=300, number=number), folder=folder, key=signing_key(workspace.keys))
            put_sealed(workspace, manifest, folder)
    return root


@pytest.fixture
def test(sealed: Path, tmp_path: Path) -> Iterator[Test]:
    shutil.copytree(sealed, tmp_path, dirs_exist_ok=True)
    clock = FakeClock(START)
    with Workspace(load_settings(tmp_path, {}), clock) as workspace:
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="test")
        yield Test(workspace, clock, np.random.default_rng(0))


def of(found: AbTest, name: str, group: str) -> GroupFigure:
    (figures,) = [one for one in found.figures if one.name == name]
    (figure,) = [one for one in figures.groups if one.group == group]
    return figure


def test_a_better_arm_is_called_better_with_its_intervals(test: Test) -> None:
    test.share(*HALVES)
    test.serve(6_000, {1: 0.10, 2: 0.16})
    found = test.analyse()
    assert found.is_running
    assert found.control == "control"
    assert [group.share for group in found.groups] == [0.5, 0.5]
    assert sum(group.answers for group in found.groups) == 6_000
    assert sum(group.units for group in found.groups) == 6_000
    assert not found.is_mismatched
    clicks = of(found, "click", "new")
    assert clicks.verdict == "better"
    assert clicks.difference_low is not None
    assert 0 < clicks.difference_low < (clicks.difference or 0) < (clicks.difference_high or 0)
    assert clicks.value == pytest.approx(0.16, abs=0.02)
    assert of(found, "click", "control").difference is None
    # The second release says 0.2 where it is 0.16, the first 0.1 where it is 0.1
    assert of(found, "brier", "new").rows == sum(group.labelled for group in found.groups[1:])
    assert of(found, "error", "new").verdict == "worse"
    assert not found.notes


def test_what_is_said_of_some_answers_only_is_counted_per_answer_too(test: Test) -> None:
    test.share(*HALVES)
    test.serve(2_000, {1: 0.1, 2: 0.1})
    found = test.analyse()
    names = [figures.name for figures in found.figures]
    assert names == ["click", "revenue", "revenue per answer", "brier", "error", "log_loss"]
    assert of(found, "revenue", "new").rows < 200
    assert of(found, "revenue per answer", "new").rows == found.groups[1].answers


def test_groups_that_are_alike_are_not_told_apart_at_any_look(test: Test) -> None:
    test.share(*HALVES)
    for _ in range(6):
        test.serve(500, {1: 0.1, 2: 0.1})
        found = test.analyse()
        verdicts = [of(found, name, "new").verdict for name in ("click", "revenue", "revenue per answer")]
        assert verdicts == ["", "", ""]
        assert not found.is_mismatched


def test_answers_that_are_lost_show_as_groups_of_the_wrong_size(test: Test) -> None:
    test.share(*HALVES)
    test.serve(4_000, {1: 0.1, 2: 0.1}, lost=0.15)
    found = test.analyse()
    assert found.is_mismatched
    assert found.ratio is not None
    assert found.ratio.p_value < 0.001


def test_requests_of_one_key_hang_together_and_make_nothing_certain(test: Test) -> None:
    """Fifty users of different tastes: what differs between the groups is who is in which."""
    test.share(*HALVES)
    test.serve(4_000, {}, users=50)
    found = test.analyse()
    assert sum(group.units for group in found.groups) == 50
    assert sum(group.answers for group in found.groups) == 4_000
    clicks = of(found, "click", "new")
    assert clicks.verdict == ""
    assert clicks.difference_high is not None
    assert clicks.difference_low is not None
    assert clicks.difference_high - clicks.difference_low > 0.1
    assert not found.is_mismatched


def test_the_rows_of_a_request_count_as_one_unit(test: Test) -> None:
    test.share(*HALVES)
    test.serve(300, {1: 0.1, 2: 0.1}, rows=4)
    found = test.analyse()
    assert sum(group.answers for group in found.groups) == 1_200
    assert sum(group.units for group in found.groups) == 300


def test_those_in_no_arm_are_the_control_where_no_arm_is_the_champions(test: Test) -> None:
    test.share(Arm("new", 2, 0.2))
    test.serve(3_000, {1: 0.1, 2: 0.2})
    found = test.analyse()
    assert found.control == "no arm"
    assert [(group.name, round(group.share or 0, 9)) for group in found.groups] == [("new", 0.2), ("no arm", 0.8)]
    assert of(found, "click", "new").verdict == "better"
    assert not found.is_mismatched


def test_beside_a_canary_the_size_of_the_rest_is_not_judged(test: Test) -> None:
    test.share(Arm("new", 1, 0.2), canary=Share(2, 0.4))
    test.serve(1_000, {1: 0.1, 2: 0.1})
    found = test.analyse()
    assert found.ratio is None
    assert found.groups[1].share is None
    assert sum(group.answers for group in found.groups) < 700, "the canary is no group"


def test_a_test_that_has_ended_is_looked_at_as_it_was(test: Test) -> None:
    test.share(*HALVES)
    test.serve(1_000, {1: 0.1, 2: 0.1})
    test.share(canary=Share(2, 0.5))
    test.serve(1_000, {1: 0.1, 2: 0.1})
    found = test.analyse()
    assert not found.is_running
    assert sum(group.answers for group in found.groups) == 1_000
    with pytest.raises(UsageError, match="ended at"):
        test.analyse(since=test.clock.now())


def test_only_answers_from_then_on_where_that_is_asked(test: Test) -> None:
    test.share(*HALVES)
    test.serve(1_000, {1: 0.1, 2: 0.1})
    middle = test.clock.now()
    test.serve(500, {1: 0.1, 2: 0.1})
    assert sum(group.answers for group in test.analyse(since=middle).groups) == 500


def test_changing_a_shadow_does_not_begin_a_new_test_and_changing_a_share_does(test: Test) -> None:
    records = test.workspace.records
    test.share(*HALVES)
    first = newest_test(records, "adclick")
    rules = Traffic(arms=HALVES, shadows=(Share(2, 0.5),))
    records.set_traffic("adclick", rules, actor="ana", reason="watch it too")
    assert newest_test(records, "adclick") == first
    test.share(Arm("control", 1, 0.5), Arm("new", 2, 0.4))
    second = newest_test(records, "adclick")
    assert first is not None
    assert second is not None
    assert second.start > first.start
    assert second.rest == pytest.approx(0.1)


def test_answers_of_the_champion_in_place_of_an_arm_are_told(test: Test) -> None:
    test.share(*HALVES)
    test.serve(200, {1: 0.1, 2: 0.1})
    stray = pl.DataFrame(
        [test._answer("stray", 0, test.clock.now(), assign(Traffic(), 1, b"x", salt="adclick"), None)],
        schema=_SCHEMA,
    )
    assert stray.get_column("role").item() == Role.CHAMPION
    test.workspace.tables.record(predictions_table("adclick"), stray, partition="day", offsets={})
    test.clock.sleep(60)
    (note,) = test.analyse().notes
    assert "1 answers for arms" in note


def test_before_there_was_a_test_the_cure_is_to_begin_one(test: Test) -> None:
    with pytest.raises(UsageError, match="no arms") as caught:
        test.analyse()
    assert "--arm control:N=50%" in (caught.value.cure or "")


def test_a_test_without_answers_says_nothing(test: Test) -> None:
    test.share(*HALVES)
    found = test.analyse()
    assert found.figures == ()
    assert found.ratio is None
    assert [group.answers for group in found.groups] == [0, 0]
