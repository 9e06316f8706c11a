"""Small words of a release, for tests that need some."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mainspring.domain.release import (
    MANIFEST_FORMAT,
    InputField,
    Manifest,
    OutputSpec,
    RuntimeKind,
    RuntimeSpec,
    TrainingRecord,
)
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate, Evidence, Outcome, Verdict

A_TRAINING = TrainingRecord(
    candidate="boosted_trees",
    params={"learning_rate": 0.1, "layers": [8, 4], "kind": None},
    frozen={"max_iter": 57},
    seeds={"python": 1, "numpy": 2},
    threads=2,
    split={"kind": "hash", "share": 0.2, "key": "impression_id"},
    trials=12,
    machine={"architecture": "x86_64", "system": "Linux"},
    rows_trained=800,
    rows_holdout=200,
    holdout_digest="c" * 64,
)


def a_manifest(**changes: Any) -> Manifest:
    """A whole manifest of a small binary model, changed where the test wants it."""
    estimate = Estimate(0.91, 0.89, 0.93, 200)
    manifest = Manifest(
        format=MANIFEST_FORMAT,
        model="adclick",
        number=7,
        task=Task.BINARY,
        origin="trained",
        created_at=datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC),
        run_id="01890000-0000-7000-8000-000000000000",
        inputs=(
            InputField("age", Kind.INTEGER, required=True, minimum=17, maximum=90),
            InputField("device", Kind.CATEGORY, missing=("?",), strip=True, vocabulary=("phone", "tablet")),
        ),
        output=OutputSpec(Task.BINARY, ("no", "yes"), "yes", 0.4),
        runtime=RuntimeSpec(RuntimeKind.ONNX, "200 rows agree within 1e-9", 1e-9, ("model.onnx",), 2e-16, 200),
        files={"model.onnx": "a" * 64, "source/model.py": "b" * 64},
        snapshots=("5" * 64,),
        target="clicked",
        key="impression_id",
        time=None,
        code_digest="d" * 64,
        lock_digest="e" * 64,
        mainspring_version="0.1.0",
        training=A_TRAINING,
        metrics={"roc_auc": estimate, "f1": Estimate(None, None, None, 0)},
        naive={"roc_auc": 0.5},
        verdicts=(
            Verdict(
                "roc_auc ≥ 0.7",
                Outcome.PASS,
                (Evidence("roc_auc", {"device": "phone"}, estimate, 0.7, -0.21, Outcome.PASS),),
                "holds",
            ),
        ),
        parent="adclick@6",
        warnings=("3 rows in 10,000 have no device",),
    )
    return replace(manifest, **changes)
