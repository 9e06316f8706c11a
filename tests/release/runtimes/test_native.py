"""The original in a process of its own: it answers, and what breaks there stays there."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import InputField, Manifest, OutputSpec, RuntimeKind, RuntimeSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import CandidateError, InvalidInput, ReleaseError, TamperedRelease
from mainspring.release.estimator_file import PICKLE, write_estimator
from mainspring.release.runtimes.base import Runtime
from mainspring.release.runtimes.native import NativeRuntime

FIELDS = (InputField("age", Kind.NUMBER), InputField("job", Kind.CATEGORY), InputField("at", Kind.TIME))
FRAME = pl.DataFrame(
    {
        "age": [20.0, 30.0, 40.0, 50.0] * 5,
        "job": ["clerk", "pilot", None, "clerk"] * 5,
        "at": pl.Series([0, 1_000_000, 1_736_151_558_260_446, 5] * 5).cast(pl.Datetime("us", "UTC")),
    }
)
ROWS = [
    {"age": 20.0, "job": "clerk", "at": "1970-01-01T00:00:00Z"},
    {"age": 40, "job": None, "at": "2025-01-06T08:19:18.260446Z"},
]


class Misbehaving:
    """Does what the age tells it to."""

    def predict(self, X: Any) -> Any:
        import os
        import time

        print("this must not get into the answer")
        age = X["age"].iloc[0]
        if age == 1:
            raise KeyError("of the estimator")
        if age == 2:
            os._exit(7)
        if age == 3:
            time.sleep(60)
        if age == 4:
            return X["age"].to_numpy() * np.nan
        if age == 5:
            return [os.getpid()] * len(X)
        return X["age"].to_numpy()


def sealed(folder: Path, estimator: Any, task: Task) -> Manifest:
    if isinstance(estimator, Misbehaving):
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        files = {PICKLE: cloudpickle.dumps(estimator)}
    else:
        files = write_estimator(estimator, lambda one: one.predict_proba(estimator_frame(FRAME, FIELDS)))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Manifest(
        format=1,
        model="adclick",
        number=1,
        task=task,
        origin="trained",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="r",
        inputs=FIELDS,
        output=OutputSpec(task, ("no", "yes") if task is Task.BINARY else ()),
        runtime=RuntimeSpec(RuntimeKind.NATIVE, "a test", 1e-9, tuple(files)),
        files={name: digest_bytes(content) for name, content in files.items()},
        snapshots=(),
        target="y",
        key=None,
        time=None,
        code_digest="",
        lock_digest="",
        mainspring_version="0",
        training=None,
        metrics={},
        naive={},
        verdicts=(),
        parent=None,
    )


@pytest.fixture(scope="module")
def fitted() -> Any:
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression())
    return model.fit(estimator_frame(FRAME, FIELDS), np.array([0, 1, 1, 0] * 5))


@pytest.fixture(scope="module")
def working(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeRuntime]:
    folder = tmp_path_factory.mktemp("release")
    runtime = NativeRuntime(folder, sealed(folder, fitted, Task.BINARY))
    yield runtime
    runtime.close()


class StoppedClock:
    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError


@pytest.fixture(scope="module")
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory, clock: StoppedClock) -> Iterator[NativeRuntime]:
    """One for all tests, since a start takes a second: each test leaves it able to answer."""
    folder = tmp_path_factory.mktemp("misbehaving")
    runtime = NativeRuntime(folder, sealed(folder, Misbehaving(), Task.REGRESSION), clock=clock, timeout=3)
    yield runtime
    runtime.close()


def row(age: float) -> list[dict[str, object]]:
    return [{"age": age, "job": "clerk", "at": None}]


def test_it_answers_rows_as_the_original(working: NativeRuntime, fitted: Any) -> None:
    wanted = fitted.predict_proba(estimator_frame(FRAME, FIELDS))
    found = working.predict_rows(ROWS)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, wanted[[0, 2]])
    assert isinstance(working, Runtime)


def test_it_answers_frames_as_the_original(working: NativeRuntime, fitted: Any) -> None:
    np.testing.assert_array_equal(
        working.predict_frame(FRAME), fitted.predict_proba(estimator_frame(FRAME, FIELDS))
    )
    assert working.predict_frame(FRAME.head(1)).shape == (1, 2)


def test_wrong_rows_do_not_reach_it(working: NativeRuntime) -> None:
    with pytest.raises(InvalidInput, match="field 'age'"):
        working.predict_rows([{"age": "20", "job": "clerk", "at": None}])


def test_several_threads_ask_at_once(working: NativeRuntime) -> None:
    wanted = working.predict_frame(FRAME)

    def agrees(place: int) -> bool:
        return all(
            np.array_equal(working.predict_frame(FRAME[place]), wanted[place : place + 1]) for _ in range(5)
        )

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(agrees, range(4)))


def test_an_exception_of_the_estimator_is_named_and_the_process_lives_on(misbehaving: NativeRuntime) -> None:
    pid = misbehaving.predict_rows(row(5))[0, 0]
    with pytest.raises(CandidateError, match="raised KeyError when asked to predict: 'of the estimator'"):
        misbehaving.predict_rows(row(1))
    with pytest.raises(CandidateError, match="predicted nan"):
        misbehaving.predict_rows(row(4))
    assert misbehaving.predict_rows(row(5))[0, 0] == pid


def test_a_process_killed_between_requests_is_not_noticed(misbehaving: NativeRuntime) -> None:
    os.kill(int(misbehaving.predict_rows(row(5))[0, 0]), signal.SIGKILL)
    time.sleep(0.2)
    assert misbehaving.predict_rows(row(9)).tolist() == [[9.0]]


def test_crash_after_crash_waits_longer_and_longer(misbehaving: NativeRuntime, clock: StoppedClock) -> None:
    for _ in range(2):  # the first restart is at once
        with pytest.raises(ReleaseError, match=r"process of adclick@1 ended while it answered \(exit code 7\)"):
            misbehaving.predict_rows(row(2))
    with pytest.raises(ReleaseError, match="is being started again"):
        misbehaving.predict_rows(row(9))
    clock.seconds += 0.25
    with pytest.raises(ReleaseError, match="ended while it answered"):
        misbehaving.predict_rows(row(2))
    clock.seconds += 0.25
    with pytest.raises(ReleaseError, match="is being started again"):
        misbehaving.predict_rows(row(9))
    clock.seconds += 0.25
    assert misbehaving.predict_rows(row(9)).tolist() == [[9.0]]


def test_an_answer_that_takes_too_long_is_ended(misbehaving: NativeRuntime) -> None:
    start = time.monotonic()
    with pytest.raises(ReleaseError, match="took longer than 3 s"):
        misbehaving.predict_rows(row(3))
    assert time.monotonic() - start < 10


def test_a_closed_runtime_ends_its_process(working: NativeRuntime) -> None:
    child = working._child
    assert child is not None
    working.close()
    working.close()
    assert child.exit_code() is not None
    with pytest.raises(ReleaseError, match="is closed"):
        working.predict_rows(ROWS)


@pytest.mark.parametrize("damage", [b"", b"cos\nsystem\n(S'touch hacked'\ntR.", b"x" * 1000])
def test_files_other_than_those_sealed_are_never_loaded(tmp_path: Path, damage: bytes, fitted: Any) -> None:
    manifest = sealed(tmp_path, fitted, Task.BINARY)
    (tmp_path / manifest.runtime.files[0]).write_bytes(damage)
    with pytest.raises(TamperedRelease, match="is not the one that was sealed"):
        NativeRuntime(tmp_path, manifest)


def test_an_estimator_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    manifest = sealed(tmp_path, Misbehaving(), Task.REGRESSION)
    (name,) = manifest.runtime.files
    (tmp_path / name).write_bytes(b"no pickle")
    with pytest.raises(ReleaseError, match="cannot be read here"):
        NativeRuntime(tmp_path, replace(manifest, files={name: digest_bytes(b"no pickle")}))


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    """Even while the estimator is computing, and even if the parent is killed."""
    code = textwrap.dedent(
        """
        import sys, threading, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        import test_native as t
        folder = Path(sys.argv[1])
        runtime = t.NativeRuntime(folder, t.sealed(folder, t.Misbehaving(), t.Task.REGRESSION))
        print(int(runtime.predict_rows(t.row(5))[0, 0]), flush=True)
        runtime.predict_rows(t.row(3))
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()  # the child may still hold the other end
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break  # ended; nobody has collected it yet
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()
