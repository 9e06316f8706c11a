"""The words of a release: its reference, its manifest, its state."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from mainspring.domain.aggregation import AggregateFunction, Aggregation
from mainspring.domain.schema import Kind, Personal
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate, Verdict
from mainspring.domain.window import TrainingWindow
from mainspring.errors import UsageError

_REFERENCE = re.compile(r"([a-z][a-z0-9_-]{0,62})(?:@([1-9]\d{0,8}|champion|challenger|latest))?")


@dataclass(frozen=True, slots=True)
class ReleaseRef:
    """`adclick`, `adclick@7` or `adclick@champion`.

    Examples:
        >>> ReleaseRef.parse("adclick@7")
        ReleaseRef(model='adclick', number=7, alias=None)
        >>> ReleaseRef.parse("adclick").alias
        'champion'
    """

    model: str
    number: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ReleaseRef":
        """Read a reference; without a number or alias the champion is meant.

        Raises:
            UsageError: the text names no release.
        """
        found = _REFERENCE.fullmatch(text)
        if not found:
            raise UsageError(
                f"{text!r} names no release", cure="write MODEL, MODEL@NUMBER or MODEL@champion, e.g. adclick@7"
            )
        model, which = found.groups()
        if which is not None and which.isdigit():
            return cls(model, number=int(which))
        return cls(model, alias=which or "champion")

    def __str__(self) -> str:
        return f"{self.model}@{self.number if self.number is not None else self.alias}"


class RuntimeKind(StrEnum):
    ONNX = "onnx"  # compiled, and shown to be equal
    NATIVE = "native"  # the original estimator, in a process of its own


@dataclass(frozen=True, slots=True)
class InputField:
    """One input of a release, as requests name it, and how its text becomes a value (as in training).

    Attributes:
        required: a missing value was never seen in training and is refused.
        missing, strip, time_format, true, false: as in `schema.Column`.
        minimum, maximum: the range seen in training, for documentation and monitoring; not enforced.
        vocabulary: for a category of a compiled release, the values that the model knows, in code order.
            Code `len(vocabulary)` means an unknown value, `len(vocabulary) + 1` a missing one.
        categories: the values seen in training, for documentation (at most 100).
        personal: what becomes of its values before the prediction log is written.
        numerals: of a text that names an entity, whether all are whole numbers in plain digits: a number names
            the same entity as its text, and what is written otherwise is refused.
    """

    name: str
    kind: Kind
    required: bool = False
    missing: tuple[str, ...] = ()
    strip: bool = False
    time_format: str | None = None
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    vocabulary: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    description: str = ""
    personal: Personal | None = None
    numerals: bool = False


@dataclass(frozen=True, slots=True)
class WindowInput:
    """An aggregate over a window of time, as its view declared it."""

    name: str
    function: AggregateFunction
    column: str | None
    over: str

    @property
    def aggregation(self) -> Aggregation:
        return Aggregation(self.function, self.column, self.over, self.name)


@dataclass(frozen=True, slots=True)
class RowPromise:
    """What the values of a column of rows that are pushed have to be; a row that breaks it is refused.

    Attributes:
        nullable, minimum, maximum, categories: as in `schema.Column`.
    """

    name: str
    nullable: bool = True
    minimum: float | str | None = None
    maximum: float | str | None = None
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ViewInput:
    """A feature view of a release: all that it takes to find a row's features by the entity's key.

    Attributes:
        view: its name.
        id: its name and the digest of its definition, under which an online store has its vectors.
        keys: what requests name the entity by.
        features: of those that the model takes, the feature's name and the input that it is.
        kinds: every feature that the view has with its kind, in the order of its vectors.
        defaults: a feature's value where there is none; missing where not given.
        ttl: a value older than this counts as absent.
        rows: what a row that is pushed holds: the columns of the source in order; keys and time are required.
        time, created: of these, when it happened and when it became known.
        root: the view that rows are pushed to, where it is another one, which this view is made of.
        promises: what breaks an error in rows that are pushed.
    """

    view: str
    id: str
    keys: tuple[InputField, ...]
    features: dict[str, str]
    kinds: tuple[tuple[str, Kind], ...]  # no mapping: a manifest sorts those, and a vector has no names
    defaults: dict[str, float | int | str | bool | None] = field(default_factory=dict)
    ttl: str | None = None
    windows: tuple[WindowInput, ...] = ()
    rows: tuple[InputField, ...] = ()
    time: str | None = None
    created: str | None = None
    root: str = ""
    promises: tuple[RowPromise, ...] = ()

    @property
    def pushed_to(self) -> str:
        """The view that takes its rows."""
        return self.root or self.view


@dataclass(frozen=True, slots=True)
class FunctionInput:
    """A function of `features.py`: from which inputs it makes which numbers."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What an answer holds.

    Attributes:
        classes: the labels in the order of the output's columns; empty for a regression.
        positive: of a binary model, the class that counts as positive.
        threshold: of a binary model, the probability of `positive` from which it is the prediction.
    """

    task: Task
    classes: tuple[str, ...] = ()
    positive: str | None = None
    threshold: float = 0.5

    def decide(self, outputs: Sequence[float]) -> str | float:
        """The prediction that one row's outputs mean: the value itself, the positive class from its threshold
        on, or the most probable class (the first of equals).

        Examples:
            >>> OutputSpec(Task.BINARY, ("no", "yes"), positive="yes", threshold=0.3).decide([0.6, 0.4])
            'yes'
            >>> OutputSpec(Task.REGRESSION).decide([12.5])
            12.5
        """
        return self.decide_all([outputs])[0]

    def decide_all(self, outputs: Sequence[Sequence[float]]) -> list[str] | list[float]:
        """`decide` for each row."""
        classes = self.classes
        if not classes:
            return [row[0] for row in outputs]
        if self.positive is not None and len(classes) == 2:
            place, threshold = classes.index(self.positive), self.threshold
            positive, negative = classes[place], classes[1 - place]
            return [positive if row[place] >= threshold else negative for row in outputs]
        return [classes[row.index(max(row))] for row in outputs]


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """How the release is run, and why so.

    Attributes:
        reason: in words, e.g. `compiled: 16,281 rows agree within 1e-9` or why the compiled form was dropped.
        tolerance: a runtime's answer may differ from the original's by `tolerance · max(1, |y|)`.
        files: the files of the release folder that the runtime opens.
        max_difference: the greatest such difference that was seen when sealing.
        rows_compared: on how many rows.
    """

    kind: RuntimeKind
    reason: str
    tolerance: float
    files: tuple[str, ...]
    max_difference: float | None = None
    rows_compared: int = 0


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """Everything that a refit needs, frozen.

    Attributes:
        params: the winner's parameters as the trial suggested them.
        frozen: what the fit itself decided and a refit must take over (e.g. iterations after early stopping).
        seeds: name → seed.
        threads: thread counts under which it was fitted.
        split: how rows were assigned to the holdout (`{"kind": "time"|"hash"|"answered", ...}`).
        machine: what the result may depend on: processor architecture and model, operating system.
        holdout_digest: SHA-256 of the original estimator's outputs on the holdout rows (float64, row order).
        trial: the winner's number, as its candidate saw it.
        window: of the rows outside the holdout those that were learnt from, where several choices were tried.
        parameters_of: the release whose parameters were kept, in place of a search, e.g. `adclick@6`.
        views: of each feature view which of its rows were read, as `features.rows.Taken` says it.
    """

    candidate: str
    params: dict[str, Any]
    frozen: dict[str, Any]
    seeds: dict[str, int]
    threads: int
    split: dict[str, Any]
    trials: int
    machine: dict[str, str]
    rows_trained: int
    rows_holdout: int
    holdout_digest: str
    trial: int = 0
    window: TrainingWindow | None = None
    parameters_of: str | None = None
    views: dict[str, dict[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contract between training and serving; signed, never changed.

    Attributes:
        files: SHA-256 of every other file in the folder (except the signature), by relative path.
        inputs: the fields of a request: the features in the order in which the estimator gets them, then those
            that only functions take.
        verdicts: of the gates, at sealing.
        metrics: on the holdout, with intervals.
        origin: `trained` or `adopted`.
        key_personal: what becomes of the event's key before the prediction log is written.
        views: the feature views that some of the inputs are of.
        functions: what is made of the inputs at each request.
        carried: the inputs that only functions take, and not the estimator.
    """

    format: int
    model: str
    number: int
    task: Task
    origin: str
    created_at: datetime
    run_id: str
    inputs: tuple[InputField, ...]
    output: OutputSpec
    runtime: RuntimeSpec
    files: dict[str, str]
    snapshots: tuple[str, ...]
    target: str
    key: str | None
    time: str | None
    code_digest: str
    lock_digest: str
    mainspring_version: str
    training: TrainingRecord | None
    metrics: dict[str, Estimate]
    naive: dict[str, float]
    verdicts: tuple[Verdict, ...]
    parent: str | None  # the champion at sealing, e.g. `adclick@6`
    warnings: tuple[str, ...] = ()
    key_personal: Personal | None = None
    views: tuple[ViewInput, ...] = ()
    functions: tuple[FunctionInput, ...] = ()
    carried: tuple[str, ...] = ()

    @property
    def ref(self) -> ReleaseRef:
        return ReleaseRef(self.model, self.number)

    @property
    def model_fields(self) -> tuple[InputField, ...]:
        """What the estimator takes, in its order: inputs, then what functions make of them."""
        return model_fields(self.inputs, self.functions, self.carried)

    @property
    def logged(self) -> tuple[InputField, ...]:
        """What the prediction log keeps of a row: the inputs, and the keys by which features were found."""
        names = {one.name for one in self.inputs}
        keys = {one.name: one for view in self.views for one in view.keys if one.name not in names}
        if self.key in keys and self.key_personal is not None:
            keys[self.key] = replace(keys[self.key], personal=self.key_personal)
        return (*self.inputs, *keys.values())

    @property
    def ignored(self) -> tuple[str, ...]:
        """What rows may carry besides the inputs: the event's key, and the keys of views."""
        keys = dict.fromkeys(one.name for view in self.views for one in view.keys)
        return tuple(keys if self.key is None else {self.key: None, **keys})


def model_fields(
    inputs: Sequence[InputField], functions: Sequence[FunctionInput], carried: Collection[str]
) -> tuple[InputField, ...]:
    """What an estimator takes of a release with these inputs and functions; arguments as in `Manifest`.

    Examples:
        >>> fields = [InputField("hour", Kind.INTEGER), InputField("lat", Kind.NUMBER)]
        >>> made = model_fields(fields, [FunctionInput("angle", ("hour", "lat"), ("sin", "cos"))], ["lat"])
        >>> [one.name for one in made]
        ['hour', 'sin', 'cos']
    """
    taken = tuple(one for one in inputs if one.name not in carried)
    return (*taken, *(InputField(name, Kind.NUMBER) for one in functions for name in one.outputs))


MANIFEST_FORMAT = 1
FEATURES = "features.py"  # of a release with functions, and of a project


class Alias(StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release as the records database knows it."""

    model: str
    number: int
    run_id: str
    digest: str  # SHA-256 of manifest.json
    place: str  # relative to the workspace's releases
    created_at: datetime
    runtime: RuntimeKind
    metrics: dict[str, Estimate]
    aliases: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, manifest: Manifest, *, digest: str, place: str) -> "ReleaseRecord":
        """The record of a sealed release; arguments as the attributes."""
        return cls(
            model=manifest.model,
            number=manifest.number,
            run_id=manifest.run_id,
            digest=digest,
            place=place,
            created_at=manifest.created_at,
            runtime=manifest.runtime.kind,
            metrics=manifest.metrics,
        )

    @property
    def ref(self) -> ReleaseRef:
        return ReleaseRef(self.model, self.number)
