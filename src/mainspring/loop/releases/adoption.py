"""An existing model becomes a release: read, asked, proven, measured, sealed, registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Manifest, ReleaseRecord, ReleaseRef
from mainspring.domain.verdict import Estimate
from mainspring.errors import DataError, MainspringError, UsageError
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.release.adoption.sample import Sample, SampleOrder
    from mainspring.release.adoption.sealing import Proven
    from mainspring.release.adoption.settling import Said

_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class AdoptionRequest:
    """What a person asks for.

    Attributes:
        model: the name that the release gets.
        place: the model's file, folder or URI.
        tracking: the MLflow store that knows a URI.
        trust: whether the model may run code when it is loaded.
        trusted: types that a skops file may hold.
    """

    model: str
    place: str
    sample: SampleOrder
    said: Said
    tracking: str
    trust: bool = False
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of it.

    Attributes:
        about: what the model is, in words.
        again: the same model with the same sample was adopted before; that release is this one.
        unmirrored: why MLflow was not told, if it was not.
    """

    manifest: Manifest
    record: ReleaseRecord
    about: str
    again: bool
    unmirrored: str = ""


def adopt(workspace: Workspace, request: AdoptionRequest, environ: Mapping[str, str]) -> Adoption:
    """Make a release of an existing model; it answers nobody until it is promoted.

    Nothing is registered, and no number taken, before everything is proven.

    Raises:
        UsageError: the name is none, the model is not trusted, or something has to be told.
        SourceNotFound, SourceFormatError, DataError: the model or the sample is not there, or not as it should be.
        CandidateError: the model refuses the sample rows.
        ReleaseError: it cannot be read, kept or proven.
    """
    from mainspring.release.adoption.opening import opened_original
    from mainspring.release.adoption.sample import read_sample
    from mainspring.release.adoption.sealing import prove
    from mainspring.release.adoption.settling import settle

    _check_name(request.model)
    with opened_original(request.place, request.tracking, request.trusted, trust=request.trust) as original:
        sample = read_sample(request.sample, original.wants, environ)
        proven = prove(original, sample, settle(original, sample, request.said))
        known = None if sample.target is None else _truth(sample, proven.settled.output.classes)
        return _registered(workspace, request, proven, known)


def _registered(
    workspace: Workspace,
    request: AdoptionRequest,
    proven: Proven,
    known: tuple[Any, Any] | None,
) -> Adoption:
    from mainspring.release.adoption.sealing import AdoptionOrder, seal_adopted
    from mainspring.release.manifest import MANIFEST
    from mainspring.release.reference_rows import known_truth
    from mainspring.release.signing import signing_key

    metrics, naive = ({}, {}) if known is None else _measured(proven, *known)
    rows, classes = proven.sample.rows.height, proven.settled.output.classes
    model, run_id = request.model, f"adopted-{proven.identity[:32]}"
    number = workspace.records.reserve_number(model, run_id)
    champion = workspace.records.routes().of(model)
    before = workspace.records.find_release(ReleaseRef(model, number))
    folder = workspace.settings.releases / model / str(number)
    manifest = seal_adopted(
        proven,
        AdoptionOrder(
            model=model,
            number=number,
            run_id=run_id,
            created_at=workspace.clock.now(),
            source=request.place,
            metrics=metrics,
            naive=naive,
            truth=None if known is None else known_truth(*known, rows, classes),
            parent=None if champion is None else str(ReleaseRef(model, champion.champion)),
        ),
        folder=folder,
        key=signing_key(workspace.keys),
    )
    digest = digest_bytes((folder / MANIFEST).read_bytes())
    record = before or ReleaseRecord.of(manifest, digest=digest, place=f"{model}/{number}")
    workspace.records.put_release(record)
    unmirrored = ""
    try:
        workspace.tracking.mirror_release(record, folder, None)
    except MainspringError as error:  # a mirror: the release is one without it
        unmirrored = str(error)
    return Adoption(manifest, record, proven.original.about, before is not None, unmirrored)


def _measured(proven: Proven, known: Any, truth: Any) -> tuple[dict[str, Estimate], dict[str, float]]:
    """The metrics on the sample rows that hold the truth, each with its interval, and those of a naive predictor.

    Args:
        known, truth: as `_truth` gives them.
    """
    from mainspring.stats.intervals import bootstrap_statistics
    from mainspring.training.metrics import metric_names, metric_statistic
    from mainspring.training.naive import naive_outputs

    output = proven.settled.output
    outputs, rows = proven.answers[known], len(truth)
    positive = None if output.positive is None else output.classes.index(output.positive)
    kind: dict[str, Any] = {"task": output.task, "positive": positive, "threshold": output.threshold}
    statistics = {name: metric_statistic(name, outputs, truth, **kind) for name in metric_names(output.task)}
    intervals = bootstrap_statistics(statistics, rows, seed=0, resamples=_RESAMPLES)
    metrics = {
        name: Estimate(
            _known(statistic(np.ones(rows))), _known(intervals[name][0]), _known(intervals[name][1]), rows
        )
        for name, statistic in statistics.items()
    }
    naive = {}
    for name in statistics:
        same = naive_outputs(truth, rows, task=output.task, k=len(output.classes) or 1, metric=name)
        value = metric_statistic(name, same, truth, **kind)(np.ones(rows))
        if np.isfinite(value):
            naive[name] = float(value)
    return metrics, naive


def _truth(sample: Sample, classes: tuple[str, ...]) -> tuple[Any, Any]:
    """The places of the rows that hold the truth, and the truth of these as class numbers or values.

    Raises:
        DataError: the target holds a class that the model does not predict.
        TargetError: it holds no truth for the model's task.
    """
    from mainspring.data.target import rows_with_target
    from mainspring.release.adoption.reading import label_text

    assert sample.target is not None
    name = sample.target.name
    kept, _ = rows_with_target(sample.rows.with_row_index("__place"), name)
    known = kept.get_column("__place").to_numpy()
    values = kept.get_column(name)
    if not classes:
        if not values.dtype.is_numeric():
            raise DataError(
                f"the target {name!r} holds no numbers, and the model's answers are some",
                cure="name the column that holds the truth with --target, or leave it out",
                where={"column": name},
            )
        return known, values.to_numpy().astype(np.float64)
    places = {label: place for place, label in enumerate(classes)}
    said = {True: sample.target.true, False: sample.target.false}  # the words that were read as a boolean
    words = {flag: word for flag, spelled in said.items() for word in spelled if word in places}
    labels = [words.get(value) or label_text(value) for value in values.to_list()]
    strange = sorted({label for label in labels if label not in places})
    if strange:
        raise DataError(
            f"the target {name!r} holds {strange[0][:60]!r}, and the model knows {', '.join(classes[:10])}",
            cure="name the column that holds the truth in the model's own words, or leave --target out",
            where={"column": name},
        )
    return known, np.array([places[label] for label in labels], dtype=np.int64)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _check_name(model: str) -> None:
    if "@" in model:
        raise UsageError(
            f"{model!r} is no name of a model", cure="give the model's name alone; its number is found"
        )
    ReleaseRef.parse(model)
