"""Fitted pipelines, sealed as `run` seals them, and asked over HTTP: the answers are the original estimator's."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import OutputSpec, ReleaseRecord, RuntimeKind, TrainingRecord
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.release.card import CardFacts
from mainspring.release.labels import predicted_classes
from mainspring.release.sealing import SealOrder, seal

from .conftest import Running, Shop, start

COLUMNS = (Column("age", Kind.NUMBER), Column("hours", Kind.INTEGER), Column("job", Kind.CATEGORY))
CLASSES = ("no", "yes")


def people(count: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age = np.where(rng.random(count) < 0.1, np.nan, rng.normal(40, 12, count))
    job = rng.choice(["clerk", "pilot", "baker"], count)
    score = np.nan_to_num(age, nan=30) / 10 + (job == "pilot") * 2 - 5 + rng.normal(0, 1, count)
    return pl.DataFrame(
        {
            "age": pl.Series(age).fill_nan(None),
            "hours": rng.integers(0, 60, count),
            "job": job,
            "rich": np.where(score > 0, "yes", "no"),
        }
    )


def fitted(*, slow: bool) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["job"]), remainder="passthrough"
    )
    last = (
        [FunctionTransformer(np.nan_to_num), KNeighborsClassifier()]
        if slow
        else [HistGradientBoostingClassifier(max_iter=20, random_state=0)]
    )
    rows = people(2000, 0)
    return make_pipeline(encoder, *last).fit(
        estimator_frame(rows, COLUMNS), (rows["rich"] == "yes").to_numpy().astype(np.int64)
    )


def put(shop: Shop, model: str, estimator: Any) -> RuntimeKind:
    order = SealOrder(
        model=model,
        number=1,
        run_id=f"run-{model}",
        created_at=datetime.now(UTC),
        task=Task.BINARY,
        classes=CLASSES,
        positive="yes",
        columns=COLUMNS,
        target_column=Column("rich", Kind.CATEGORY),
        key=None,
        time=None,
        estimator=estimator,
        training_rows=people(2000, 0),
        holdout_rows=people(500, 1),
        training=TrainingRecord("c", {}, {}, {}, 1, {}, 1, {}, 2000, 500, "0" * 64),
        snapshots=(),
        metrics={},
        naive={},
        verdicts=(),
        code={"model.py": b""},
        settings={},
        facts=CardFacts("people.csv", 2500),
        lock="",
    )
    folder = shop.root / "releases" / model / "1"
    manifest = seal(order, folder=folder, key=shop.key)
    shop.records.put_release(
        ReleaseRecord(
            model,
            1,
            order.run_id,
            digest_bytes((folder / "manifest.json").read_bytes()),
            f"{model}/1",
            order.created_at,
            manifest.runtime.kind,
            {},
        )
    )
    shop.promote(1, model)
    return manifest.runtime.kind


@pytest.fixture(scope="module")
def estimators() -> dict[str, Any]:
    return {"trees": fitted(slow=False), "neighbours": fitted(slow=True)}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, estimators: dict[str, Any]) -> Iterator[Running]:
    root: Path = tmp_path_factory.mktemp("sealed")
    shop = Shop(root)
    assert put(shop, "trees", estimators["trees"]) is RuntimeKind.ONNX
    assert put(shop, "neighbours", estimators["neighbours"]) is RuntimeKind.NATIVE
    running = start(shop)
    yield running
    running.stop()
    shop.records.close()


@pytest.mark.parametrize("model", ["trees", "neighbours"])
def test_answers_over_http_are_the_estimators(sealed: Running, estimators: dict[str, Any], model: str) -> None:
    rows = people(300, 2)
    want = estimators[model].predict_proba(estimator_frame(rows, COLUMNS))
    wire = rows.drop("rich").to_dicts()
    for body in (wire, wire[:1]):
        status, headers, answer = sealed.request("POST", f"/predict/{model}", body)
        assert (status, headers["x-release"]) == (200, f"{model}@1")
        for prediction, (no, yes) in zip(answer["predictions"], want.tolist(), strict=False):
            assert prediction["probabilities"] == pytest.approx({"no": no, "yes": yes}, abs=1e-12)
            assert prediction["prediction"] == ("yes" if yes >= 0.5 else "no")
    status, _, answer = sealed.request("POST", f"/predict/{model}", [wire[0], {**wire[1], "age": "x"}])
    assert (status, answer["where"]) == (422, {"row": 1, "field": "age"})


def test_a_native_release_blocks_nobody(sealed: Running) -> None:
    rows = people(9_000, 3).drop("rich").to_dicts()
    long: list[tuple[float, float]] = []
    short: list[tuple[float, float]] = []
    enough = threading.Event()

    def ask_much() -> None:
        while not enough.is_set():
            began = time.monotonic()
            assert sealed.request("POST", "/predict/neighbours", rows)[0] == 200
            long.append((began, time.monotonic()))

    def answered_meanwhile() -> bool:
        # In the middle of one: near its ends its client writes and reads, and the gateway waits for it.
        return any(
            sum(began + 0.3 * (end - began) < a and b < end - 0.3 * (end - began) for a, b in short) >= 2
            for began, end in long
        )

    thread = threading.Thread(target=ask_much)
    thread.start()
    deadline = time.monotonic() + 60
    try:
        while not answered_meanwhile():
            assert time.monotonic() < deadline, "no request was answered while the native release was at work"
            began = time.monotonic()
            assert sealed.request("POST", "/predict/trees", rows[0])[0] == 200
            short.append((began, time.monotonic()))
    finally:
        enough.set()
        thread.join()


def test_a_crashed_native_process_is_503_and_starts_again(sealed: Running) -> None:
    import psutil

    row = people(1, 4).drop("rich").to_dicts()[0]
    assert sealed.request("POST", "/predict/neighbours", row)[0] == 200
    (worker,) = sealed.workers()
    for child in psutil.Process(worker).children():
        child.kill()
    sealed.wait_until(lambda: sealed.request("POST", "/predict/neighbours", row)[0] == 200)
    assert sealed.request("POST", "/predict/trees", row)[0] == 200


def test_the_decision_is_the_one_that_batch_takes() -> None:
    rng = np.random.default_rng(0)
    for spec in (
        OutputSpec(Task.BINARY, CLASSES, "yes", 0.37),
        OutputSpec(Task.BINARY, CLASSES, "no", 0.5),
        OutputSpec(Task.MULTICLASS, ("a", "b", "c")),
    ):
        k = len(spec.classes)
        outputs = np.concatenate([rng.dirichlet(np.ones(k), 500), np.full((3, k), 1 / k), np.eye(k)])
        assert spec.decide_all(outputs.tolist()) == [spec.classes[i] for i in predicted_classes(outputs, spec)]
