"""Logged requests are answered again by the challenger, and only those from which it cannot have learnt."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.domain.release import Alias, Manifest, ReleaseRef
from mainspring.domain.rollout import Rollout
from mainspring.domain.rollout_state import RolloutStage, RolloutState
from mainspring.domain.schema import Personal
from mainspring.loop.evidence import replay as replaying
from mainspring.loop.evidence.compared import Compared
from mainspring.loop.evidence.known import Known
from mainspring.loop.evidence.replay import replay, unseen
from mainspring.loop.evidence.replay_process import ReleaseProblem, ReplayProcess
from mainspring.release.sealing import seal
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings
from mainspring.testing.clock import FakeClock
from mainspring.testing.production import store_answers, store_labels
from mainspring.testing.releases import A_TRAINING, a_manifest
from mainspring.testing.sealed import a_seal_order, put_sealed, some_rows
from mainspring.training.stable_hash import hash_key
from mainspring.workspace import Workspace

SEALED = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 4, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A champion that has answered 24 hours of 250 requests, nine in ten of them labelled, and a challenger."""
    root = tmp_path_factory.mktemp("logged")
    random = np.random.default_rng(0)
    with Workspace(load_settings(root, {}), FakeClock(NOW)) as workspace:
        for number, rows in ((1, 700), (2, 4_000)):
            folder = workspace.settings.releases / "adclick" / str(number)
            manifest = seal(a_seal_order(rows=rows, number=number), folder=folder, key=signing_key(workspace.keys))
            put_sealed(workspace, manifest, folder)
        workspace.records.set_alias("adclick", Alias.CHAMPION, 1, actor="test", reason="first")
        champion = workspace.catalogue.find(ReleaseRef("adclick", 1))
        with workspace.open_release(champion) as release:
            for hour in range(24):
                frame = some_rows(250, seed=500 + hour)
                at = [NOW - HOUR * 25 + HOUR * hour + MINUTE * (n * 60 / 250) for n in range(250)]
                ids = [f"{hour}-{n}" for n in range(250)]
                outputs = release.runtime.predict_frame(frame)
                store_answers(workspace.tables, release.manifest, frame, outputs, at, ids)
                said = np.flatnonzero(random.random(250) < 0.9)
                truth = frame.get_column("clicked").to_list()
                store_labels(
                    workspace.tables, release.manifest, [ids[n] for n in said], [truth[n] for n in said], at[-1]
                )
        yield workspace


def a_state(**plan: Any) -> RolloutState:
    return RolloutState(
        id="r", model="adclick", challenger=2, before=1, plan=Rollout(**{"replay": "7d"} | plan),
        stage=RolloutStage.REPLAY, started_at=NOW, entered_at=NOW,
    )  # fmt: skip


def compared(workspace: Workspace, state: RolloutState) -> Compared:
    one, other = (
        workspace.catalogue.manifest(workspace.catalogue.find(ReleaseRef("adclick", number))) for number in (1, 2)
    )
    return Compared.of(state, one, other)


def replayed(workspace: Workspace, known: Known | None = None, keep: Any = lambda: None, **plan: Any) -> Known:
    state, known = a_state(**plan), known or Known()
    replay(workspace, state, known, compared(workspace, state), timedelta(minutes=5), keep)
    return known


def test_it_answers_the_labelled_requests_again_and_compares_row_by_row(workspace: Workspace) -> None:
    known = replayed(workspace)
    assert known.replay["done"]
    assert "problem" not in known.replay
    assert known.replay["rows"] == known.gains.count
    assert 5_200 < known.gains.count < 5_600
    assert known.gains.mean > 0, "it was made of five times the rows"
    again = Known.from_dict(known.to_dict())
    replay(workspace, a_state(), again, compared(workspace, a_state()), None, lambda: pytest.fail("it is done"))
    assert again.to_dict() == known.to_dict()


def test_a_ranking_is_compared_in_windows(workspace: Workspace) -> None:
    known = replayed(workspace, metric="roc_auc")
    assert known.replay["rows"] == known.seen_of("gains")
    assert 5_000 < known.rows_of("gains") <= known.seen_of("gains")
    assert 0 < known.gains.mean < 0.2


def test_what_was_answered_before_the_release_was_made_is_not_counted(workspace: Workspace) -> None:
    clock: Any = workspace.clock
    try:
        clock.set(SEALED + HOUR)
        assert replayed(workspace, replay="1d").gains.count == 0
    finally:
        clock.set(NOW)
    assert 0 < replayed(workspace, replay="10h").gains.count < 2_300


def test_killed_in_the_middle_it_goes_on_and_counts_nothing_twice(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replayed(workspace)
    monkeypatch.setattr(replaying, "_AT_ONCE", 1_000)

    class Killed(BaseException):
        pass

    kept: list[dict[str, Any]] = []
    known = Known()

    def keep() -> None:
        kept.append(known.to_dict())
        if len(kept) == 3:
            raise Killed

    with pytest.raises(Killed):
        replayed(workspace, known, keep)
    assert not kept[-1]["replay"]["done"]
    assert 0 < kept[-1]["gains"]["count"] < whole.gains.count
    resumed = replayed(workspace, Known.from_dict(kept[-1]))
    assert resumed.replay["rows"] == whole.replay["rows"]
    assert resumed.gains.count == whole.gains.count
    assert resumed.gains.mean == pytest.approx(whole.gains.mean)
    assert resumed.gains.variance == pytest.approx(whole.gains.variance)


def test_of_many_requests_an_even_part_is_answered(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_MOST_ROWS", 1_500)
    known = replayed(workspace)
    assert known.replay["share"] == 0.25
    assert 1_150 < known.gains.count < 1_550


def test_an_outcome_cannot_be_replayed_nor_inputs_that_are_not_logged(workspace: Workspace) -> None:
    assert "is an outcome" in replayed(workspace, metric="revenue").replay["note"]
    state = a_state()
    by = compared(workspace, state)
    inputs = tuple(replace(one, personal=Personal.HASH) for one in by.challenger.inputs)
    known = Known()
    hidden = replace(by, challenger=replace(by.challenger, inputs=inputs))
    replay(workspace, state, known, hidden, None, lambda: None)
    assert "age, income" in known.replay["note"]
    assert known.replay["done"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda outputs: np.where(np.arange(len(outputs))[:, None] == 3, np.nan, outputs), "are no numbers"),
        (lambda outputs: outputs[:, :1], "1 outputs for each row, and not 2"),
    ],
)
def test_nonsense_is_a_problem(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    real = ReplayProcess.answer
    monkeypatch.setattr(ReplayProcess, "answer", lambda self, frame: answer(real(self, frame)))
    assert said in replayed(workspace).replay["problem"]


def test_a_release_that_cannot_be_opened_is_a_problem(workspace: Workspace) -> None:
    record = workspace.catalogue.find(ReleaseRef("adclick", 2))
    process = ReplayProcess(workspace.catalogue.folder(record), workspace.keys / "trusted", "0" * 64)
    with pytest.raises(ReleaseProblem, match="TamperedRelease"), process:
        pass


def a_process(workspace: Workspace, **options: Any) -> ReplayProcess:
    record = workspace.catalogue.find(ReleaseRef("adclick", 2))
    return ReplayProcess(workspace.catalogue.folder(record), workspace.keys / "trusted", record.digest, **options)


def test_a_release_that_crashes_or_hangs_takes_its_own_process_along_only(workspace: Workspace) -> None:
    frame = some_rows(5)
    with a_process(workspace) as process:
        assert process.answer(frame).shape == (5, 2)
        with pytest.raises(ReleaseProblem, match="there is no column 'age'"):
            process.answer(frame.drop("age"))
        assert process.answer(frame).shape == (5, 2), "that was no crash"
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(ReleaseProblem, match=r"ended while answering 5 rows \(exit code -11\)"):
            process.answer(frame)
    with a_process(workspace, answer_within=0.3) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(ReleaseProblem, match=r"longer than 0.3 s"):
            process.answer(frame)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def rows_at(*moments: datetime, keys: Any = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"at": list(moments), "key": keys or [None] * len(moments)},
        schema={"at": pl.Datetime("us", "UTC"), "key": pl.String},
    )


def split(**rule: Any) -> Manifest:
    return a_manifest(training=replace(A_TRAINING, split=rule))


def test_what_it_may_have_learnt_from_never_counts() -> None:
    rows = rows_at(SEALED - 2 * HOUR, SEALED - MINUTE, SEALED, SEALED + HOUR)
    assert unseen(a_manifest(training=None), rows, SEALED).to_list() == [False, False, True, True]
    cut = int((SEALED - HOUR).timestamp() * 1e6)
    by_time = split(kind="time", column="shown_at", cut=cut, share=0.2)
    assert unseen(by_time, rows, SEALED).to_list() == [False, True, True, True]
    for numbers in (17, 20_260_101, 2**62, -5):  # a column of mere numbers
        odd = split(kind="time", column="row", cut=numbers, share=0.2)
        assert unseen(odd, rows, SEALED).to_list() == [False, False, True, True]


def test_rows_that_its_own_rule_held_out_count_however_old() -> None:
    keys = [f"k{n}" for n in range(2_000)]
    rows = rows_at(*[SEALED - HOUR] * 2_000, keys=keys)
    held = unseen(split(kind="hash", column="impression_id", share=0.2), rows, SEALED)
    expected = hash_key(pl.Series(keys)).astype(np.float64) / 2.0**64 < 0.2
    assert held.to_list() == expected.tolist()
    assert 300 < held.sum() < 500
    for other in (split(kind="hash", column="other", share=0.2), split(kind="hash", column=None, share=0.2)):
        assert not unseen(other, rows, SEALED).any()
    nameless = rows_at(SEALED - HOUR, keys=[None])
    assert not unseen(split(kind="hash", column="impression_id", share=1.0), nameless, SEALED).any()
