import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mainspring.errors import (
    CandidateError,
    DeclarationError,
    ModelFileError,
    NoTrialFinished,
    TrainingStopped,
    TrialOutOfMemory,
    TrialTimeout,
)
from mainspring.training.seeding import derive_seed
from mainspring.training.trial_record import TrialState, error_of, read_records
from mainspring.training.tuning import TuningJob, TuningResult, tune

Jobs = Callable[..., TuningJob]

LINEAR = """
@model.candidate
def linear(trial):
    return make_pipeline(numbers(), LogisticRegression(C=trial.suggest_float("C", 0.01, 10, log=True)))
"""
TREES = """
@model.candidate
def trees(trial):
    return make_pipeline(numbers(), HistGradientBoostingClassifier(
        max_leaf_nodes=trial.suggest_int("leaves", 3, 15), max_iter=20))
"""


def essence(result: TuningResult) -> list[tuple[Any, ...]]:
    return [(t.number, t.candidate, t.state, t.params, t.score, t.fold_scores, t.seeds) for t in result.trials]


def test_a_budget_in_trials_is_exact_and_repeats(job: Jobs) -> None:
    seen: list[tuple[int, float | None]] = []
    one = job(LINEAR + TREES, trials=7, cores=2)
    first = tune(
        one,
        on_trial=lambda trial, best: seen.append((trial.number, best.score if best else None)),
    )
    again = tune(job(LINEAR + TREES, trials=7, cores=2, name="again"))
    assert len(first.trials) == 7
    assert essence(first) == essence(again)
    assert first.winner.score == max(t.score for t in first.trials if t.state is TrialState.FINISHED)
    assert first.ended_because == "budget"
    assert (first.parallel, first.threads, first.folds) == (2, 1, 5)
    assert sorted(number for number, _ in seen) == list(range(7))
    assert seen[-1][1] == first.winner.score
    assert {t.candidate for t in first.trials} == {"linear", "trees"}
    assert first.trials[0].params["C"] == pytest.approx(0.1**0.5)  # the middle first
    assert len({str(t.params) for t in first.trials}) == 7  # also those begun before the first had ended
    assert set(first.winner.metrics) > {"roc_auc", "log_loss", "brier"}
    assert [t.seeds["trial"] for t in first.trials] == [derive_seed(0, "trial", number) for number in range(7)]
    began = time.monotonic()
    assert tune(one) == first  # it is finished, and not done again
    assert time.monotonic() - began < 1


def test_another_search_is_told_from_this_one(job: Jobs, clicks: Any) -> None:
    jobs = [
        job(LINEAR, trials=2),
        job(LINEAR, trials=3),
        job(LINEAR, trials=2, seed=1),
        job(LINEAR, trials=2, rows=clicks.rows(401)),
        job(LINEAR, trials=2, metric="log_loss"),
    ]
    assert len({one.fingerprint() for one in jobs}) == 5
    before = jobs[0].fingerprint()
    jobs[0].model_file.write_text("# changed")
    assert jobs[0].fingerprint() != before


def test_what_the_users_code_prints_and_gets(job: Jobs, capfd: pytest.CaptureFixture[str]) -> None:
    text = (
        LINEAR
        + """
print("loading")
@model.candidate
def noisy(trial):
    import os
    for _ in range(200_000):
        print('{"done": {"fold_scores": [1.0]}} noise')
    os.write(2, b"last words\\n")
    return make_pipeline(numbers(), LogisticRegression())

@model.candidate
def told(trial):
    import os
    print("run", os.environ["MLFLOW_RUN_ID"], os.environ["OMP_NUM_THREADS"], trial.number)
    return make_pipeline(numbers(), LogisticRegression())

@model.candidate
def hopeless(trial):
    from sklearn.dummy import DummyClassifier
    return DummyClassifier(strategy="prior")
"""
    )
    result = tune(job(text, trials=4), trial_environment=lambda number: {"MLFLOW_RUN_ID": f"trial-{number}"})
    _, noisy, told, hopeless = result.trials
    assert noisy.output.rstrip().endswith("last words")
    assert len(noisy.output) <= 4000
    assert told.output == "run trial-2 1 2\n"
    assert hopeless.state is TrialState.PRUNED
    assert len(hopeless.fold_scores) < 5
    assert capfd.readouterr() == ("", "")


def test_few_choices_are_not_tried_for_ever(job: Jobs) -> None:
    few = """
@model.candidate
def fixed(trial):
    return make_pipeline(numbers(), LogisticRegression())

@model.candidate
def few(trial):
    return make_pipeline(numbers(), LogisticRegression(C=trial.suggest_categorical("C", [0.1, 1.0])))
"""
    result = tune(job(few, trials=60))
    assert result.ended_because == "nothing left to try"
    assert len(result.trials) < 30
    assert sum(t.candidate == "fixed" for t in result.trials) == 1
    assert {t.params["C"] for t in result.trials if t.candidate == "few"} == {0.1, 1.0}
    repeated = [t for t in result.trials if "repeated" in t.notes]
    assert repeated
    assert all(t.score is not None for t in repeated)


FAILING: list[tuple[str, type[Exception], str]] = [
    ("    raise ValueError('no luck')", CandidateError, r"raised ValueError at line \d+ of model.py: no luck"),
    ("    return None", CandidateError, "returned nothing"),
    ("    return 17", CandidateError, "returned int, which has no fit"),
    (
        "    return LogisticRegression",
        CandidateError,
        "the class LogisticRegression, which has no fit to call",
    ),
    ("    return type('Only', (), {'fit': lambda self, X, y: self})()", CandidateError, "has no predict"),
    ("    import os; os._exit(3)", CandidateError, "ended its process with exit code 3"),
    ("    import sys; sys.exit(0)", CandidateError, "raised SystemExit"),
    (
        "    import subprocess, time\n"
        "    for own in (False, True):\n"
        "        subprocess.Popen(['/bin/bash', '-c', 'exec -a MARK sleep 300'], start_new_session=own)\n"
        "    time.sleep(60)",
        TrialTimeout,
        "took longer than 3s",
    ),
    ("    import ctypes; ctypes.string_at(0)", CandidateError, "was killed by SIGSEGV"),
    ("    import os; os.kill(os.getpid(), 9)", CandidateError, "was killed by SIGKILL"),
    ("    return LogisticRegression()", CandidateError, r"raised ValueError while it was fitted.*: could not"),
    ("    raise KeyboardInterrupt", CandidateError, "raised KeyboardInterrupt"),
    ("    import time; time.sleep(60)", TrialTimeout, "took longer than 3s"),
    ("    while True: pass", TrialTimeout, "took longer than 3s"),
    (
        "    import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        TrialTimeout,
        "took longer than 3s",
    ),
    (
        "    kept = []\n    import time\n    while True: kept.append(bytearray(10**7)); time.sleep(0.002)",
        TrialOutOfMemory,
        "took more than 400MB",
    ),
    ("    import numpy; numpy.ones(10**11)", TrialOutOfMemory, "ran out of memory"),
]


def test_candidates_that_fail_are_named(job: Jobs, tmp_path: Path) -> None:
    mark = f"sleeps-for-{tmp_path.name}"
    text = "".join(f"@model.candidate\ndef c{n}(trial):\n{body}\n" for n, (body, _, _) in enumerate(FAILING))
    text = text.replace("MARK", mark)
    one = job(text, trials=len(FAILING), cores=2, trial_time="3s", trial_memory="400MB")
    with pytest.raises(NoTrialFinished, match=rf"none of {len(FAILING)} trials finished: c0: .*; c1: "):
        tune(one)
    records = list(read_records(one.folder / "trials"))
    assert len(records) == len(FAILING)
    for record, (body, kind, words) in zip(records, FAILING, strict=True):
        error = error_of(record)
        assert type(error) is kind, body
        assert re.search(rf"'c{record.number}'.*{words}", str(error)), (body, str(error))
        assert error.where["candidate"] == f"c{record.number}"
        assert error.cure
        assert record.seconds < 20
    # What they started is gone, in whatever session it was.
    assert not [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_a_single_kind_of_failure_is_raised_itself(job: Jobs) -> None:
    with pytest.raises(CandidateError, match=r"raised OSError at line 16 of model.py: no luck") as found:
        tune(job("@model.candidate\ndef broken(trial):\n    raise OSError('no luck')\n", trials=2))
    assert found.value.where == {"candidate": "broken", "trial": 0, "file": "model.py", "line": 16}


def test_the_run_goes_on_past_candidates_that_fail(job: Jobs) -> None:
    broken = """
@model.candidate
def hangs(trial):
    import time
    trial.suggest_float("x", 0, 1)
    time.sleep(60)

@model.candidate
def raises(trial):
    raise RuntimeError("always")

@model.candidate
def answers_nan(trial):
    class Nan(LogisticRegression):
        def predict_proba(self, X):
            return super().predict_proba(X) * float("nan")
    return make_pipeline(numbers(), Nan())
"""
    result = tune(job(broken + LINEAR, trials=16, trial_time="1500ms"))
    assert result.winner.candidate == "linear"
    states = {t.candidate: t.state for t in result.trials if t.candidate != "linear"}
    assert states == {
        "hangs": TrialState.TIMEOUT,
        "raises": TrialState.FAILED,
        "answers_nan": TrialState.FAILED,
    }
    assert max(sum(t.candidate == name for t in result.trials) for name in states) <= 3
    assert any("NaN" in str(t.error) or "nan" in str(t.error) for t in result.trials)
    assert len(result.warnings) == 3
    hung = next(t for t in result.trials if t.candidate == "hangs")
    assert hung.params == {"x": 0.5}  # known although it never came to an end


def test_stopping_before_the_first_trial_leaves_nothing(job: Jobs) -> None:
    stop = threading.Event()
    one = job("@model.candidate\ndef slow(trial):\n    import time; time.sleep(60)\n", trials=3)
    threading.Timer(3.0, stop.set).start()
    began = time.monotonic()
    with pytest.raises(TrainingStopped):
        tune(one, stop=stop)
    assert time.monotonic() - began < 20
    assert list(read_records(one.folder / "trials")) == []
    assert not (one.folder / "tuning.json").exists()


def test_a_model_file_that_does_not_load_is_named(job: Jobs) -> None:
    with pytest.raises(ModelFileError, match=r"model.py does not load: ZeroDivisionError") as found:
        tune(job(LINEAR + "\n1 / 0\n", trials=1))
    assert found.value.where["line"] > 15


def test_a_metric_of_another_task_is_refused(job: Jobs) -> None:
    with pytest.raises(DeclarationError, match="'rmse'"):
        tune(job(LINEAR, trials=1, metric="rmse"))


def test_no_candidates_are_an_error(job: Jobs) -> None:
    with pytest.raises(CandidateError, match="no candidates"):
        tune(job("", trials=1))


def test_a_budget_in_seconds_is_kept_though_a_trial_hangs(job: Jobs) -> None:
    text = """
@model.candidate
def hangs(trial):
    import time; time.sleep(300)
"""
    began = time.monotonic()
    result = tune(job(text + LINEAR, seconds=14.0, cores=2))
    assert time.monotonic() - began < 25
    assert result.winner.candidate == "linear"
    assert [t.state for t in result.trials if t.candidate == "hangs"] == [TrialState.STOPPED]
    assert any("'hangs'" in warning for warning in result.warnings)
