"""Rows of every kind, and what every test of the compiler does with an estimator."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.compile.compiler import Compiled, compile_estimator
from mainspring.release.original import outputs_of
from mainspring.release.parity import Parity, compare

NUMBERS = ["amount", "age", "member", "at"]
TEXTS = ["job", "city"]
FIELDS = (
    InputField("job", Kind.CATEGORY),
    InputField("amount", Kind.NUMBER),
    InputField("age", Kind.INTEGER),
    InputField("city", Kind.CATEGORY),
    InputField("member", Kind.BOOLEAN),
    InputField("at", Kind.TIME),
)


def rows(count: int = 600, seed: int = 0) -> pl.DataFrame:
    """Rows with missing values, rare words, zeros of both signs, denormals and ties."""
    random = np.random.default_rng(seed)
    amount = np.round(random.lognormal(2, 2, count), 2)
    special = np.array([0.0, -0.0, 5e-324, 1e-35, 1e-40, -1e-35])
    amount[::17] = np.resize(special, len(amount[::17]))
    amount[::29] = -amount[::29]
    words = np.array(["clerk", "pilot", "cook", "baker", "Ärztin", "rare1", "rare2"])
    job = random.choice(words, count, p=[0.3, 0.3, 0.2, 0.1, 0.08, 0.01, 0.01])
    frame = pl.DataFrame(
        {
            "job": job,
            "amount": amount,
            "age": random.integers(18, 90, count),
            "city": random.choice(["Ulm", "Bonn", "Köln"], count),
            "member": random.random(count) < 0.4,
            "at": pl.Series(random.integers(1_700_000_000, 1_760_000_000, count) * 1_000_000).cast(
                pl.Datetime("us", "UTC")
            ),
        }
    )
    return frame.with_columns(
        pl.when(pl.Series(random.random(count) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in frame.columns
    )


def target(frame: pl.DataFrame, task: Task, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    score = (
        frame["age"].fill_null(40).to_numpy() / 30
        + np.log1p(np.abs(frame["amount"].fill_null(3.0).to_numpy()))
        + frame["job"].is_in(["pilot", "Ärztin"]).fill_null(False).to_numpy() * 1.5
        + frame["member"].fill_null(False).to_numpy()
        + random.normal(0, 0.5, frame.height)
    )
    if task is Task.REGRESSION:
        return np.exp(score / 3)
    classes = 2 if task is Task.BINARY else 3
    edges = np.quantile(score, np.arange(1, classes) / classes)
    return np.searchsorted(edges, score).astype(np.int64)


def output(task: Task) -> OutputSpec:
    labels = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}[task]
    return OutputSpec(task, labels)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small fits are slower on several threads, above all where other processes want the cores too."""
    with threadpool_limits(1):
        yield


Check = Callable[[Any, Task], tuple[Compiled, Parity]]


@pytest.fixture
def fit_and_compare() -> Check:
    """Fit the estimator on half the rows, compile it, and compare the two on the other half and on what is made
    of it."""

    def check(estimator: Any, task: Task) -> tuple[Compiled, Parity]:
        frame = rows()
        known, fresh = frame.head(400), frame.tail(200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence, of names: the estimator's business
            estimator.fit(estimator_frame(known, FIELDS), target(frame, task)[:400])
            compiled = compile_estimator(estimator, FIELDS, output(task))
            return compiled, compare(
                lambda X: outputs_of(estimator, X, task, output(task).classes), compiled, fresh, minimum_rows=600
            )

    return check
