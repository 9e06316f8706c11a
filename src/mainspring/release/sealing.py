"""Seals a release: one folder with everything needed to serve, judge and reproduce a model, signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.release import (
    FEATURES,
    MANIFEST_FORMAT,
    FunctionInput,
    Manifest,
    OutputSpec,
    TrainingRecord,
    ViewInput,
)
from mainspring.domain.schema import Column, Personal
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate, Verdict
from mainspring.release.card import CARD, CardFacts, render_card
from mainspring.release.golden import GOLDEN, encode_golden
from mainspring.release.lock import LOCK, environment_lock
from mainspring.release.manifest import is_inside
from mainspring.release.sealed_folder import Sealing, seal_folder
from mainspring.version import VERSION

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from numpy import float64
    from numpy.typing import NDArray

SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SealOrder:
    """Everything that a release is made of.

    Attributes:
        classes: the labels in the order of the class numbers that the estimator was fitted on.
        columns: the features' columns of the schema, in the order in which the estimator got them.
        target_column: the target's column of the schema.
        estimator: fitted on the training rows.
        training_rows: typed rows that it was fitted on: features and target.
        holdout_rows: typed rows that it never saw: features and target.
        code: the user's code as it ran, by name relative to the project: `model.py` and what it imports.
        settings: further files that belong to the source: `mainspring.toml`, `schema.toml`.
        lock: the environment as a lock file; that of this process where not given.
        parent: the champion at sealing, e.g. `adclick@6`.
        key_personal: what the key's column says of its values.
        carried: the columns that only functions take.
        views: the feature views that some of the columns are of.
        functions: of `features.py` among the code; what they give comes after the columns. The rows may hold it.
    """

    model: str
    number: int
    run_id: str
    created_at: datetime
    task: Task
    classes: tuple[str, ...]
    positive: str | None
    columns: tuple[Column, ...]
    target_column: Column
    key: str | None
    time: str | None
    estimator: Any
    training_rows: pl.DataFrame
    holdout_rows: pl.DataFrame
    training: TrainingRecord
    snapshots: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    naive: Mapping[str, float]
    verdicts: tuple[Verdict, ...]
    code: Mapping[str, bytes]
    settings: Mapping[str, bytes]
    facts: CardFacts
    threshold: float = 0.5
    lock: str | None = None
    parent: str | None = None
    warnings: tuple[str, ...] = field(default=())
    key_personal: Personal | None = None
    carried: tuple[Column, ...] = ()
    views: tuple[ViewInput, ...] = ()
    functions: tuple[FunctionInput, ...] = ()


def seal(order: SealOrder, *, folder: Path, key: Ed25519PrivateKey) -> Manifest:
    """Make the release folder, prove that it opens, and give it its name; all or nothing.

    A folder that this run sealed before is left as it is. What a killed attempt left behind is removed.

    Args:
        folder: the release's final place, `<releases>/<model>/<number>`; what is missing above it is made.
        key: signs the manifest.

    Returns:
        The manifest, as it was written.

    Raises:
        StoreError: another run's release is in that place.
        DiskFull: there is no room; nothing is left behind.
        CandidateError: the estimator does not answer a real row.
        FeatureError: a function of `features.py` fails, or gives something else now than it did in training.
        ReleaseError: the estimator cannot be kept in a file, or the release does not open.
    """
    return seal_folder(Sealing(order.model, order.number, order.run_id, lambda: _contents(order)), folder, key)


def _contents(order: SealOrder) -> tuple[dict[str, bytes], Manifest]:
    """The files but manifest and signature, and the manifest that names them."""
    import polars as pl

    from mainspring.data.columns import columns_of
    from mainspring.data.estimator_frame import estimator_frame
    from mainspring.features.request_time_frames import with_outputs
    from mainspring.release.compilation import ONNX, decide_runtime
    from mainspring.release.estimator_file import write_estimator
    from mainspring.release.golden_requests import frame_of
    from mainspring.release.inputs import input_fields
    from mainspring.release.original import outputs_of
    from mainspring.release.proven_functions import proven_functions
    from mainspring.release.reference_profile import PROFILE, reference_profile
    from mainspring.release.reference_rows import REFERENCE_ROWS, encode_reference_rows, spread_places, truth_of
    from mainspring.release.runtimes.onnx import OnnxRuntime

    columns = (*order.columns, *order.carried)
    names = [column.name for column in columns]
    seen = pl.concat([columns_of(rows, names) for rows in (order.training_rows, order.holdout_rows)])
    fields = input_fields(columns, seen)
    frames = (order.training_rows, order.holdout_rows)
    computed = proven_functions(order.code.get(FEATURES), order.functions, fields, len(order.columns), frames)
    taken = fields if computed is None else computed.model_fields
    holdout = order.holdout_rows if computed is None else with_outputs(order.holdout_rows, computed.functions)
    output = OutputSpec(order.task, order.classes, order.positive, order.threshold)

    def answers(X: pd.DataFrame) -> NDArray[float64]:
        return outputs_of(order.estimator, X, order.task, order.classes)

    def original(rows: pl.DataFrame) -> NDArray[float64]:
        made = rows if computed is None else with_outputs(rows, computed.functions)
        return answers(estimator_frame(made, taken))

    decision = decide_runtime(order.estimator, answers, fields, output, holdout, computed)
    asked = frame_of(decision.golden.rows, fields, computed)
    files = write_estimator(order.estimator, lambda one: outputs_of(one, asked, order.task, order.classes))
    runtime = decision.runtime
    predict: Callable[[pl.DataFrame], NDArray[float64]] = original
    if decision.model is None:
        runtime = replace(runtime, files=tuple(sorted(files)))
    else:
        files[ONNX] = decision.model
        predict = OnnxRuntime(decision.model, decision.fields, computed=computed).predict_frame

    held = order.holdout_rows[spread_places(order.holdout_rows.height)]
    target = held.get_column(order.target_column.name)
    truth = truth_of(target, is_classification=order.task.is_classification)
    lock = (order.lock if order.lock is not None else environment_lock()).encode()
    files |= {
        GOLDEN: encode_golden(decision.golden.rows, decision.golden.outputs),
        PROFILE: reference_profile(predict, order.training_rows, fields, order.target_column, output),
        REFERENCE_ROWS: encode_reference_rows(held, fields, predict(held), truth),
        LOCK: lock,
    }
    if order.functions:
        files[FEATURES] = order.code[FEATURES]
    for name, content in {**order.code, **order.settings}.items():
        assert is_inside(name), f"a source file outside the project: {name}"
        files[f"{SOURCE}/{name}"] = content
    manifest = Manifest(
        format=MANIFEST_FORMAT,
        model=order.model,
        number=order.number,
        task=order.task,
        origin="trained",
        created_at=order.created_at,
        run_id=order.run_id,
        inputs=decision.fields,
        output=output,
        runtime=runtime,
        files={},
        snapshots=order.snapshots,
        target=order.target_column.name,
        key=order.key,
        time=order.time,
        code_digest=code_digest(order.code),
        lock_digest=digest_bytes(lock),
        mainspring_version=VERSION,
        training=order.training,
        metrics=dict(order.metrics),
        naive=dict(order.naive),
        verdicts=order.verdicts,
        parent=order.parent,
        warnings=order.warnings,
        key_personal=order.key_personal,
        views=order.views,
        functions=order.functions,
        carried=tuple(column.name for column in order.carried),
    )
    files[CARD] = render_card(manifest, order.facts).encode()
    digests = {name: digest_bytes(content) for name, content in files.items()}
    return files, replace(manifest, files=digests)


def code_digest(code: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and contents of the user's code."""
    return digest_json({name: digest_bytes(content) for name, content in code.items()})
