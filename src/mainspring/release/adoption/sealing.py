"""Seals an adopted model: kept as it is, compiled where that is equal, proven on golden requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mainspring.data.columns import columns_of
from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes, digest_json
from mainspring.domain.release import MANIFEST_FORMAT, Manifest, RuntimeKind
from mainspring.domain.verdict import Estimate
from mainspring.errors import NotCompilable, ReleaseError
from mainspring.release.adoption.adopted import ADOPTED, AdoptedModel
from mainspring.release.adoption.from_estimator import check_of
from mainspring.release.adoption.original import Original
from mainspring.release.adoption.sample import Sample
from mainspring.release.adoption.settling import Settled
from mainspring.release.card import CARD, CardFacts, render_card
from mainspring.release.compilation import ONNX, Decision, decide
from mainspring.release.golden import GOLDEN, encode_golden
from mainspring.release.golden_requests import frame_of
from mainspring.release.lock import LOCK, environment_lock
from mainspring.release.original import outputs_of
from mainspring.release.parity import TOLERANCE
from mainspring.release.reference_profile import PROFILE, reference_profile
from mainspring.release.reference_rows import REFERENCE_ROWS, encode_reference_rows, spread_places
from mainspring.release.runtimes.onnx import OnnxRuntime
from mainspring.release.sealed_folder import Sealing, seal_folder
from mainspring.version import VERSION

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from mainspring.release.compile.compiler import Compiled

SINGLE = 1e-5  # the tolerance of models that compute in single precision
_ALONE = 40  # golden rows that are asked again one by one


@dataclass(frozen=True, slots=True)
class Proven:
    """An adopted model with the files that hold it and the runtime that answers for it.

    Attributes:
        kept: the original's own files.
        answers: the original's outputs on the sample rows [n, k].
        identity: the same for the same model, asked the same way, with the same sample.
    """

    original: Original
    sample: Sample
    settled: Settled
    decision: Decision
    kept: dict[str, bytes] = field(repr=False)
    answers: NDArray[np.float64] = field(repr=False)
    identity: str = ""


def prove(original: Original, sample: Sample, settled: Settled) -> Proven:
    """Ask the original the golden requests, and find the runtime that gives the same answers.

    Raises:
        CandidateError: the original refuses a sample row.
        ReleaseError: it answers the same row differently from time to time, or cannot be kept in a file.
    """
    asking, output = settled.asking, settled.output
    model = AdoptedModel(original.model, asking)

    def answers(X: pd.DataFrame) -> NDArray[np.float64]:
        return outputs_of(model, X, output.task, output.classes)

    features = columns_of(sample.rows, [column.name for column in sample.columns])
    tolerance = SINGLE if _in_single_precision(original) else TOLERANCE
    decision = decide(lambda: _compiled(original, settled), answers, settled.fields, features, tolerance=tolerance)
    asked = frame_of(decision.golden.rows, settled.fields)
    spread = _spread(answers, asked, decision.golden.outputs)
    if spread > SINGLE:
        raise ReleaseError(
            f"the model answers the same row differently when it is asked again, by up to {spread:.3g}",
            cure="switch off whatever is random in it, e.g. dropout",
        )
    if decision.runtime.kind is RuntimeKind.NATIVE:
        tolerance = SINGLE if spread > TOLERANCE else tolerance
        decision = replace(decision, runtime=replace(decision.runtime, tolerance=tolerance))
    kept = {**original.keep(check_of(asking, asked)), ADOPTED: msgspec.json.format(msgspec.json.encode(asking))}
    identity = digest_json(
        {
            "original": original.digest,
            "asking": digest_bytes(kept[ADOPTED]),
            "output": msgspec.to_builtins(output),
            "fields": msgspec.to_builtins(settled.fields),
            "target": None if sample.target is None else sample.target.name,
            "key": sample.key,
            "golden": digest_bytes(encode_golden(decision.golden.rows, decision.golden.outputs)),
        }
    )
    sampled = answers(estimator_frame(sample.rows, sample.columns))
    return Proven(original, sample, settled, decision, kept, sampled, identity)


@dataclass(frozen=True, slots=True)
class AdoptionOrder:
    """What the release of a proven model is called, and what is known of it; what is not stays empty.

    Attributes:
        source: where the model came from, as the user gave it.
        metrics, naive: measured on the sample rows, if these hold the truth.
        truth: of the sample rows, classes by name or values; `None` where it is not known.
        parent: the champion at sealing.
    """

    model: str
    number: int
    run_id: str
    created_at: datetime
    source: str
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    naive: Mapping[str, float] = field(default_factory=dict)
    truth: pl.Series | None = None
    parent: str | None = None


def seal_adopted(proven: Proven, order: AdoptionOrder, *, folder: Path, key: Ed25519PrivateKey) -> Manifest:
    """Make the release folder, prove that it opens, and give it its name; all or nothing.

    Raises:
        DiskFull: there is no room; nothing is left behind.
        ReleaseError: the release does not open.
    """
    contents = Sealing(order.model, order.number, order.run_id, lambda: _contents(proven, order))
    return seal_folder(contents, folder, key)


def _contents(proven: Proven, order: AdoptionOrder) -> tuple[dict[str, bytes], Manifest]:
    sample, settled, decision = proven.sample, proven.settled, proven.decision
    files = dict(proven.kept)
    runtime = decision.runtime
    predict: Callable[[pl.DataFrame], NDArray[np.float64]]
    if decision.model is None:
        runtime = replace(runtime, files=tuple(sorted(files)))
        model = AdoptedModel(proven.original.model, settled.asking)
        predict = lambda rows: outputs_of(  # noqa: E731
            model, estimator_frame(rows, settled.fields), settled.output.task, settled.output.classes
        )
    else:
        files[ONNX] = decision.model
        predict = OnnxRuntime(decision.model, decision.fields).predict_frame
    lock = environment_lock().encode()
    places = spread_places(sample.rows.height)
    kept, truth = sample.rows[places], None if order.truth is None else order.truth[places]
    files |= {
        GOLDEN: encode_golden(decision.golden.rows, decision.golden.outputs),
        PROFILE: reference_profile(predict, sample.rows, settled.fields, sample.target, settled.output),
        REFERENCE_ROWS: encode_reference_rows(kept, settled.fields, proven.answers[places], truth),
        LOCK: lock,
    }
    manifest = Manifest(
        format=MANIFEST_FORMAT,
        model=order.model,
        number=order.number,
        task=settled.output.task,
        origin="adopted",
        created_at=order.created_at,
        run_id=order.run_id,
        inputs=decision.fields,
        output=settled.output,
        runtime=runtime,
        files={},
        snapshots=(),
        target="" if sample.target is None else sample.target.name,
        key=sample.key,
        time=None,
        code_digest="",
        lock_digest=digest_bytes(lock),
        mainspring_version=VERSION,
        training=None,
        metrics=dict(order.metrics),
        naive=dict(order.naive),
        verdicts=(),
        parent=order.parent,
        warnings=tuple(_warnings(proven, order)),
    )
    facts = CardFacts(source=f"{proven.original.about}, {order.source}", rows=sample.rows.height)
    files[CARD] = render_card(manifest, facts).encode()
    return files, replace(manifest, files={name: digest_bytes(content) for name, content in files.items()})


def _warnings(proven: Proven, order: AdoptionOrder) -> list[str]:
    rows = f"{proven.sample.rows.height:,}"
    measured = (
        [f"its metrics were measured on the {rows} sample rows, from which it may have learnt"]
        if order.metrics
        else []
    )
    learnt = f"ranges, categories and profile are those of the {rows} sample rows, not of its training"
    return [learnt, *measured, *proven.original.notes, *proven.sample.notes, *proven.settled.notes]


def _compiled(original: Original, settled: Settled) -> Compiled:
    """The model in our own layout.

    Raises:
        NotCompilable: it has no such form.
    """
    from mainspring.release.compile.compiler import Compiled, compile_estimator

    if original.form == "onnx":
        from mainspring.release.adoption.onnx_layout import in_our_layout

        if any(not one.kind.is_numeric for one in settled.fields):
            raise NotCompilable("some of its inputs are no numbers")
        content = in_our_layout(original.parsed, original.inputs, settled.asking, len(settled.fields))
        return Compiled(content, settled.fields, {}, {}, content, ())
    if original.form != "estimator":
        raise NotCompilable(f"{original.about} can only be asked as it is")
    if set(settled.asking.dress.values()) != {"as it is"}:
        raise NotCompilable("it wants columns of types of its own")
    return compile_estimator(original.model, settled.fields, settled.output, original.classes)


def _in_single_precision(original: Original) -> bool:
    return original.form == "onnx" and any(
        "double" not in port.type for port in (*original.inputs, *original.outputs) if port.is_numbers
    )


def _spread(
    answers: Callable[[Any], NDArray[np.float64]], asked: pd.DataFrame, expected: NDArray[np.float64]
) -> float:
    """The greatest relative difference when rows are asked again: all at once, and some of them alone."""
    again = [answers(asked)]
    places = np.unique(np.linspace(0, len(asked) - 1, _ALONE).round().astype(np.int64))
    alone = np.concatenate([answers(asked.iloc[[place]].reset_index(drop=True)) for place in places])
    pairs = [(again[0], expected), (alone, expected[places])]
    return max(float((np.abs(a - b) / np.maximum(1.0, np.abs(b))).max()) for a, b in pairs)
