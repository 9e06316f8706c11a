"""How an adopted model is asked, and what its answers mean: found out by asking it about every sample row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import InputField, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.errors import CandidateError, ReleaseError, UsageError
from mainspring.release.adoption import dress
from mainspring.release.adoption.adopted import AdoptedModel, Asking, asker
from mainspring.release.adoption.original import Original
from mainspring.release.adoption.reading import Answer, Reading, label_text
from mainspring.release.adoption.sample import Sample
from mainspring.release.inputs import input_fields
from mainspring.release.original import outputs_of

if TYPE_CHECKING:
    import pandas as pd

_SUM = 1e-3  # by which probabilities may miss 1


@dataclass(frozen=True, slots=True)
class Said:
    """What the user says of the model; the rest is found out."""

    task: Task | None = None
    positive: str | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """The model as the release will ask it.

    Attributes:
        fields: the inputs; one is required where the sample always has it and the model refuses to do without.
        notes: what a person should know.
    """

    asking: Asking
    output: OutputSpec
    fields: tuple[InputField, ...]
    notes: tuple[str, ...] = field(default=())


def settle(original: Original, sample: Sample, said: Said) -> Settled:
    """Ask the model about the sample's rows until it is clear how.

    It is asked as its maker would ask it, with the frame that pandas reads. Where the plain estimator's frame, on
    which it may be compiled, gives the very same answers, that is taken.

    Raises:
        CandidateError: it refuses the rows, however they are put.
        ReleaseError: its answers mean nothing that a release can answer.
        UsageError: what they mean has to be told: `--task`, `--classes`, `--positive`.
    """
    X = estimator_frame(sample.rows, sample.columns)
    first = Asking(original.form, {}, original.wants.matrix, _first_reading(original), ())
    first = replace_struct(first, output=_output_port(original))
    asking, answer = _first_answered(original, sample, X, first)
    asking, notes = _read(asking, answer, original, sample, said)
    output = _output(asking, original, said)
    if asking.labels:
        asking = replace_struct(asking, positive=_place(output))
    answers = outputs_of(AdoptedModel(original.model, asking), X, output.task, output.classes)
    notes += _doubts(original, asking, output, X, answers)
    return Settled(asking, output, _fields(original, sample, asking, output), tuple(notes))


def replace_struct(asking: Asking, **changes: object) -> Asking:
    import msgspec

    changed: Asking = msgspec.structs.replace(asking, **changes)
    return changed


def _first_reading(original: Original) -> Reading:
    """Whether an estimator is asked for probabilities."""
    if original.form == "estimator" and original.classes is not None:
        able = callable(getattr(original.model, "predict_proba", None))
        return Reading.PROBABILITIES if able else Reading.LABELS
    return Reading.VALUE


def _output_port(original: Original) -> str | None:
    """Of a graph's outputs the one with probabilities or values; labels come second."""
    if original.form != "onnx":
        return None
    maps = [port for port in original.outputs if port.type.startswith("seq(map(")]
    floats = [port for port in original.outputs if port.type in ("tensor(float)", "tensor(double)")]
    named = [port for port in floats if "prob" in port.name.lower()] or floats
    chosen = maps or named or list(original.outputs)
    return chosen[0].name


def _dresses(original: Original, sample: Sample) -> Iterator[dict[str, str]]:
    """Ways to put the rows, the likeliest first."""
    columns, wants = sample.by_name, original.wants
    if wants.dress:
        yield {name: wants.dress.get(name, dress.AS_IT_IS) for name in columns}
        return
    if original.form == "onnx":
        yield dress.plain(columns)
        return
    yield dress.natural(columns)
    if any(column.kind in (Kind.CATEGORY, Kind.ID, Kind.TEXT) for column in columns.values()):
        yield dress.categorical(columns)
    yield dress.plain(columns)


def _first_answered(original: Original, sample: Sample, X: pd.DataFrame, first: Asking) -> tuple[Asking, Answer]:
    refusal: Exception | None = None
    for words in _dresses(original, sample):
        asking = replace_struct(first, dress=words)
        try:
            answer = asker(original.model, asking)(X)
        except Exception as error:  # a foreign model raises whatever it likes
            refusal = refusal or error
            continue
        return _plainer(original, sample, X, asking, answer), answer
    assert refusal is not None
    reason = refusal.message if isinstance(refusal, CandidateError) else f"{type(refusal).__name__}: {refusal}"
    raise CandidateError(
        f"the model refuses the sample rows: {' '.join(reason.split())[:500]}",
        cure="give rows as it was trained on; " + _how_to_read(sample),
        where=refusal.where if isinstance(refusal, CandidateError) else None,
    ) from refusal


def _how_to_read(sample: Sample) -> str:
    spelled = [
        repr(column.name)
        for column in sample.columns
        if column.kind is Kind.BOOLEAN and not {*column.true, *column.false} <= {"True", "False", "true", "false"}
    ]
    if not spelled:
        return "say how their columns are read with --schema schema.toml"
    shown = ", ".join(spelled[:10]) + (", …" if len(spelled) > 10 else "")
    return f'words are read as booleans in {shown}: set kind = "category" where the model knows the words'


def _plainer(original: Original, sample: Sample, X: pd.DataFrame, asking: Asking, answer: Answer) -> Asking:
    """The plain frame where every answer is the same on it, or else the frame that answered."""
    plain = replace_struct(asking, dress=dress.plain(sample.by_name))
    if original.form != "estimator" or plain == asking:
        return asking
    try:
        again = asker(original.model, plain)(X)
    except Exception:  # it wants its own types: then it gets them
        return asking
    same = again.values.shape == answer.values.shape and again.values.dtype == answer.values.dtype
    return plain if same and bool((again.values == answer.values).all()) else asking


def _read(
    asking: Asking, answer: Answer, original: Original, sample: Sample, said: Said
) -> tuple[Asking, list[str]]:
    """What the answers are, and of which classes."""
    labels = _labels(original, answer, sample, said)
    width = answer.values.shape[1]
    if original.form == "estimator" and original.classes is not None:
        return replace_struct(asking, labels=labels), []
    if width > 1:
        if not answer.is_numeric:
            raise ReleaseError("the model answers several texts a row", cure="let it answer one label a row")
        if said.task is Task.REGRESSION:
            raise ReleaseError(
                f"the model answers {width} numbers a row, and a regression is one", cure="leave --task out"
            )
        if len(labels) != width:
            raise UsageError(
                f"the model answers {width} numbers a row, and nothing says of which classes",
                cure="name them in the order of the numbers: --classes A,B,…; a regression answers one",
            )
        return replace_struct(asking, reading=Reading.PROBABILITIES, labels=labels), []
    return _read_one(asking, answer, labels, said)


def _read_one(asking: Asking, answer: Answer, labels: tuple[str, ...], said: Said) -> tuple[Asking, list[str]]:
    """One value a row: a label, the positive class's probability, or the value of a regression."""
    found = sorted({label_text(value) for value in answer.values[:, 0].tolist()})
    classifies = said.task.is_classification if said.task is not None else bool(labels) or not answer.is_numeric
    if not classifies:
        if not answer.is_numeric:
            raise ReleaseError(
                f"the model answers texts such as {found[0][:40]!r}, which no regression does",
                cure="leave --task out",
            )
        return replace_struct(asking, reading=Reading.VALUE), []
    numbers = answer.values[:, 0].astype(np.float64) if answer.is_numeric else None
    share = numbers is not None and bool(((numbers >= 0) & (numbers <= 1)).all())
    if share and len(found) > 2 and len(labels) in (0, 2) and said.task is not Task.MULTICLASS:
        if not labels:
            raise UsageError(
                "the model answers a probability, and nothing says of which class",
                cure="name the two classes, the positive one last: --classes no,yes",
            )
        return replace_struct(asking, reading=Reading.POSITIVE, labels=labels), []
    strangers = [label for label in found if labels and label not in labels]
    if strangers:
        raise UsageError(
            f"the model answers {strangers[0][:60]!r}, which is none of the classes {', '.join(labels[:10])}",
            cure="name all classes with --classes, or the task with --task",
        )
    if labels:
        return replace_struct(asking, reading=Reading.LABELS, labels=labels), []
    note = "its classes are those that it answers to the sample rows: name others with --classes"
    return replace_struct(asking, reading=Reading.LABELS, labels=tuple(found)), [note]


def _labels(original: Original, answer: Answer, sample: Sample, said: Said) -> tuple[str, ...]:
    """The classes in the order of the answers' columns, by whoever knows them best."""
    own = tuple(label_text(value) for value in original.classes or ())
    if own and said.task is Task.REGRESSION:
        raise UsageError(
            f"the model is no regression: its classes are {', '.join(own[:10])}", cure="leave --task out"
        )
    if own:
        if said.classes and set(said.classes) != set(own):
            raise UsageError(f"the model's own classes are {', '.join(own[:20])}", cure="leave --classes out")
        return own
    if said.classes:
        return said.classes
    if answer.names is not None and answer.values.shape[1] > 1 and not all(n.isdecimal() for n in answer.names):
        return answer.names
    if sample.target is None or said.task is Task.REGRESSION or answer.values.shape[1] > 1:
        return ()
    return _labels_of_target(sample.rows.get_column(sample.target.name).alias("value"), sample.target.kind, said)


def _labels_of_target(values: pl.Series, kind: Kind, said: Said) -> tuple[str, ...]:
    """The target's labels, where it is no number of a regression."""
    found = tuple(sorted({label_text(value) for value in values.drop_nulls().unique().to_list()}))
    texts = kind in (Kind.CATEGORY, Kind.BOOLEAN)
    return found if texts or len(found) == 2 or said.task is not None else ()


def _output(asking: Asking, original: Original, said: Said) -> OutputSpec:
    labels = asking.labels
    if not labels:
        if said.task is not None and said.task is not Task.REGRESSION:
            raise UsageError(f"the model answers numbers, no {said.task} classes", cure="leave --task out")
        if said.positive is not None:
            raise UsageError("a regression has no positive class", cure="leave --positive out")
        return OutputSpec(Task.REGRESSION)
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise ReleaseError(
            f"the model's classes are {', '.join(labels) or 'none'}, and a classifier needs two different ones",
            cure="name its classes with --classes A,B",
        )
    task = Task.BINARY if len(labels) == 2 else Task.MULTICLASS
    if said.task is not None and said.task is not task:
        raise UsageError(
            f"the model has {len(labels)} classes ({', '.join(labels[:10])}), which is no {said.task} task",
            cure="leave --task out",
        )
    if said.positive is not None and (said.positive not in labels or task is not Task.BINARY):
        raise UsageError(
            f"{said.positive!r} is no class of a binary model; its classes are {', '.join(labels[:10])}",
            cure=f"name one of them with --positive, or leave it out: then it is {labels[-1]!r}",
        )
    if task is Task.MULTICLASS:
        return OutputSpec(task, labels)
    # The second class, as scikit-learn has it: its threshold is of that one.
    positive = said.positive or labels[1]
    moved = original.threshold if positive == labels[1] else None
    return OutputSpec(task, labels, positive, 0.5 if moved is None else moved)


def _place(output: OutputSpec) -> int | None:
    return None if output.positive is None else output.classes.index(output.positive)


def _doubts(
    original: Original, asking: Asking, output: OutputSpec, X: pd.DataFrame, answers: np.ndarray
) -> list[str]:
    """Whether the answers look like what they are taken for."""
    notes = []
    if asking.reading is Reading.PROBABILITIES:
        far = np.abs(answers.sum(axis=1) - 1.0)
        if (answers < -_SUM).any() or (answers > 1 + _SUM).any() or far.max() > _SUM:
            raise ReleaseError(
                f"the model's answers are no probabilities: row {int(far.argmax())} sums to "
                f"{float(answers[int(far.argmax())].sum()):.6g}",
                cure="let it answer probabilities, e.g. with a softmax at its end",
            )
        if original.classes is not None and original.form == "estimator":
            own = asker(original.model, replace_struct(asking, reading=Reading.LABELS))(X).values[:, 0].tolist()
            decided = output.decide_all(answers.tolist())
            other = sum(label_text(mine) != theirs for mine, theirs in zip(own, decided, strict=True))
            if other:
                notes.append(
                    f"its own predict gives another class than its probabilities do for {other:,} of {len(own):,} "
                    f"sample rows; the release answers by the probabilities"
                )
    if asking.reading is Reading.LABELS:
        notes.append("it answers labels without probabilities: the class answered gets 1, the others 0")
    return notes


def _fields(original: Original, sample: Sample, asking: Asking, output: OutputSpec) -> tuple[InputField, ...]:
    model = AdoptedModel(original.model, asking)
    fields = []
    for one in input_fields(sample.columns, sample.rows):
        required = one.required
        if required:
            without = sample.rows.head(1).with_columns(pl.lit(None, sample.rows.schema[one.name]).alias(one.name))
            try:
                outputs_of(model, estimator_frame(without, sample.columns), output.task, output.classes)
                required = False
            except CandidateError:
                pass
        fields.append(replace(one, required=required))
    return tuple(fields)
