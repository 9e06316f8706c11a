"""`MODEL_CARD.md`: what the model is, how good it is and where not, and how it came to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainspring.domain.instants import moment_of
from mainspring.domain.release import InputField, Manifest, RuntimeKind
from mainspring.domain.task import METRICS
from mainspring.domain.verdict import Estimate
from mainspring.release.card_views import views_section
from mainspring.release.card_window import window_section
from mainspring.release.card_words import code, interval, number, text, with_interval

CARD = "MODEL_CARD.md"

_FEATURES_SHOWN = 30


class SliceOfMetrics(Protocol):
    """Metrics on the rows of one slice."""

    @property
    def slice(self) -> dict[str, str]: ...
    @property
    def rows(self) -> int: ...
    @property
    def metrics(self) -> dict[str, Estimate]: ...


class LossOfFeature(Protocol):
    """By how much the metric gets worse when the feature's values are shuffled, and its spread."""

    @property
    def feature(self) -> str: ...
    @property
    def loss(self) -> float: ...
    @property
    def spread(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another predictor on the same holdout rows.

    Attributes:
        name: in words, e.g. `the champion adclick@6` or `a logistic baseline`.
        metrics: the other's.
        gains: by how much each metric of this release is better, paired; positive is better.
        rows: compared on.
    """

    name: str
    metrics: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    rows: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card tells beyond the manifest.

    Attributes:
        source: the source's locations, as the user gave them.
        rows: of the snapshots.
        labelled: of these the answers from production whose truth came in.
        naive_answer: what the naive predictor answers, in words.
        importance: by falling loss of `primary_metric`.
        comparisons: with the champion, with a baseline, if there were any.
        intended_use: the user's own words, if there are any.
        primary_metric: by which the model was tuned.
        views: of each feature view where its rows were from, in words.
    """

    source: str
    rows: int
    labelled: int = 0
    naive_answer: str = ""
    slices: Sequence[SliceOfMetrics] = ()
    importance: Sequence[LossOfFeature] = ()
    primary_metric: str = ""
    comparisons: Sequence[Comparison] = ()
    intended_use: str = ""
    extra_limits: Sequence[str] = field(default=())
    views: Mapping[str, str] = field(default_factory=dict)


def render_card(manifest: Manifest, facts: CardFacts) -> str:
    """The card as Markdown; the manifest's files and signature are not looked at."""
    sections = (
        _heading(manifest),
        _use(manifest, facts),
        _data(manifest, facts),
        window_section(manifest),
        _metrics(manifest, facts),
        _comparisons(facts),
        _slices(facts),
        _importance(facts),
        _gates(manifest),
        _limits(manifest, facts),
        _inputs(manifest),
        views_section(manifest, facts.views),
        _lineage(manifest),
        _reproduction(manifest),
    )
    return "\n".join(line for section in sections for line in section)


def _heading(manifest: Manifest) -> Iterator[str]:
    yield f"# {manifest.ref}"
    yield ""
    what = {"binary": "one of two classes", "multiclass": "one of several classes", "regression": "a number"}
    named = f" `{code(manifest.target)}`," if manifest.target else ""
    yield f"Predicts{named} {what[str(manifest.task)]}, from {len(manifest.inputs)} inputs."
    if manifest.training is None:
        yield "It was adopted: made elsewhere, and sealed here as it is. What is not known is left out below."
    if manifest.output.classes:
        classes = ", ".join(f"`{code(name)}`" for name in manifest.output.classes[:20])
        more = f" and {len(manifest.output.classes) - 20} more" if len(manifest.output.classes) > 20 else ""
        yield f"Its classes are {classes}{more}."
    if manifest.output.positive is not None:
        positive = code(manifest.output.positive)
        yield f"It answers `{positive}` from a probability of {manifest.output.threshold:g} on."
    how = "as a compiled ONNX graph" if manifest.runtime.kind is RuntimeKind.ONNX else "natively"
    yield f"Sealed {manifest.created_at:%Y-%m-%d %H:%M} UTC; it runs {how} ({text(manifest.runtime.reason)})."
    yield ""


def _use(manifest: Manifest, facts: CardFacts) -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield (
        text(facts.intended_use)
        if facts.intended_use
        else (
            f"Predicting {f'`{code(manifest.target)}`' if manifest.target else 'the same'} for rows like those "
            "that it learnt from: same source, same meaning of every column."
        )
    )
    yield ""


def _data(manifest: Manifest, facts: CardFacts) -> Iterator[str]:
    yield "## Data"
    yield ""
    training = manifest.training
    if training is None:
        yield f"- it is {text(facts.source)}"
        yield f"- what it learnt from is not known; it was asked about {facts.rows:,} sample rows"
    else:
        yield f"- source: {text(facts.source)}, {facts.rows:,} rows"
        if facts.labelled:
            yield f"- of these {facts.labelled:,} are answers from production whose truth came in"
        yield f"- snapshot: {', '.join(f'`{name}`' for name in manifest.snapshots)}"
        yield f"- learnt from {training.rows_trained:,} rows"
        yield f"- judged on {training.rows_holdout:,} rows that it never saw"
        yield f"- the holdout: {_split(training.split)}"
    if manifest.key:
        yield f"- key of a row: `{code(manifest.key)}`"
    if manifest.time:
        yield f"- time of a row: `{code(manifest.time)}`"
    yield ""


def _split(split: Mapping[str, object]) -> str:
    said = {name: value for name, value in split.items() if name != "kind" and value is not None}
    if "since" in said:  # then its moments are moments
        said |= {name: f"{moment_of(int(str(said[name]))):%Y-%m-%d %H:%M:%S} UTC" for name in ("cut", "since")}
    details = ", ".join(f"{name} {value}" for name, value in said.items())
    kinds = {
        "time": "the newest rows",
        "hash": "rows that a hash of their key or content picks, the same for ever",
        "answered": "the newest answers from production",
    }
    kind = str(split.get("kind"))
    return kinds.get(kind, kind) + (f" ({text(details)})" if details else "")


def _metrics(manifest: Manifest, facts: CardFacts) -> Iterator[str]:
    yield "## Metrics"
    yield ""
    if not manifest.metrics:
        yield "Not known: there were no rows with the truth to measure them on."
        yield ""
        return
    rows = "the holdout" if manifest.training is not None else "the sample rows, from which it may have learnt"
    yield f"On {rows}, with 95 % intervals."
    if facts.naive_answer:
        yield f"The naive predictor answers {text(facts.naive_answer)} whatever the row."
    yield ""
    yield "| metric | better is | this model | interval | naive |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for name, estimate in manifest.metrics.items():
        naive = manifest.naive.get(name)
        direction = "higher" if name in METRICS and METRICS[name].greater_is_better else "lower"
        yield (
            f"| {name} | {direction} | {number(estimate.value)} | {interval(estimate)} "
            f"| {number(naive) if naive is not None else '–'} |"
        )
    yield ""


def _comparisons(facts: CardFacts) -> Iterator[str]:
    for other in facts.comparisons:
        yield f"## Compared with {text(other.name)}"
        yield ""
        yield f"On the same {other.rows:,} holdout rows, which neither has learnt from; a gain over 0 is better."
        yield ""
        yield "| metric | this model | the other | gain | interval of the gain | |"
        yield "| --- | ---: | ---: | ---: | ---: | --- |"
        for name, gain in other.gains.items():
            theirs = other.metrics.get(name)
            cells = (
                number(_own_value(name, theirs, gain)),
                number(None if theirs is None else theirs.value),
                number(gain.value),
                interval(gain),
                _in_words(gain),
            )
            yield f"| {name} | {' | '.join(cells)} |"
        yield ""
        if facts.primary_metric in other.gains:
            yield (
                f"By `{code(facts.primary_metric)}`, which it was tuned by: "
                f"{_in_words(other.gains[facts.primary_metric])}."
            )
            yield ""


def _own_value(name: str, theirs: Estimate | None, gain: Estimate) -> float | None:
    """This model's value on the rows compared, which may be fewer than all of the holdout."""
    if theirs is None or theirs.value is None or gain.value is None or name not in METRICS:
        return None
    return theirs.value + (gain.value if METRICS[name].greater_is_better else -gain.value)


def _in_words(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return "not measured"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no clear difference"


def _slices(facts: CardFacts) -> Iterator[str]:
    by_columns: dict[tuple[str, ...], list[SliceOfMetrics]] = {}
    for one in facts.slices:
        by_columns.setdefault(tuple(one.slice), []).append(one)
    for columns, slices in by_columns.items():
        names = list(dict.fromkeys(name for one in slices for name in one.metrics))
        yield f"## By {' × '.join(text(column) for column in columns)}"
        yield ""
        yield f"| {' | '.join((*(text(column) for column in columns), 'rows', *names))} |"
        yield f"| {' | '.join((*('---' for _ in columns), '---:', *('---:' for _ in names)))} |"
        for one in slices:
            cells = [text(value) for value in one.slice.values()]
            cells.append(f"{one.rows:,}")
            cells += [with_interval(one.metrics.get(name)) for name in names]
            yield f"| {' | '.join(cells)} |"
        yield ""


def _importance(facts: CardFacts) -> Iterator[str]:
    if not facts.importance:
        return
    yield "## What it relies on"
    yield ""
    yield (
        f"How much {facts.primary_metric or 'the metric'} gets worse on the holdout when a feature's values "
        "are shuffled (permutation importance)."
    )
    yield ""
    yield "| feature | loss | spread |"
    yield "| --- | ---: | ---: |"
    for one in facts.importance[:_FEATURES_SHOWN]:
        yield f"| {text(one.feature)} | {number(one.loss)} | ± {number(one.spread)} |"
    if len(facts.importance) > _FEATURES_SHOWN:
        yield f"| and {len(facts.importance) - _FEATURES_SHOWN} more | | |"
    yield ""


def _gates(manifest: Manifest) -> Iterator[str]:
    if not manifest.verdicts:
        return
    yield "## Gates"
    yield ""
    yield "| gate | verdict | why |"
    yield "| --- | --- | --- |"
    for verdict in manifest.verdicts:
        yield f"| {text(verdict.gate)} | {verdict.outcome} | {text(verdict.reason)} |"
    yield ""


def _limits(manifest: Manifest, facts: CardFacts) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "- It was judged on the past. Where the world changes, its figures do not hold."
    if manifest.time:
        yield (
            "- The intervals count each row of the holdout as a case of its own. Where rows near in time are "
            "alike, the true ones are wider."
        )
    yield "- A value outside the ranges and categories below is answered, but from no experience."
    required = [field.name for field in manifest.inputs if field.required]
    if required:
        named = ", ".join(f"`{code(name)}`" for name in required[:20])
        more = f" and {len(required) - 20} more" if len(required) > 20 else ""
        yield f"- Never missing in {_seen_in(manifest)}, so never optional in a request: {named}{more}."
    for said in (*facts.extra_limits, *manifest.warnings):
        yield f"- {text(said)}"
    yield ""


def _inputs(manifest: Manifest) -> Iterator[str]:
    yield "## Inputs"
    yield ""
    yield f"| field | kind | may be missing | seen in {_seen_in(manifest)} |"
    yield "| --- | --- | --- | --- |"
    for one in manifest.inputs:
        yield f"| {text(one.name)} | {one.kind} | {'no' if one.required else 'yes'} | {_seen(one)} |"
    yield ""


def _seen_in(manifest: Manifest) -> str:
    return "training" if manifest.training is not None else "the sample"


def _seen(one: InputField) -> str:
    if one.categories is not None:
        shown = ", ".join(text(name) for name in one.categories[:8])
        return shown + (f" and {len(one.categories) - 8} more" if len(one.categories) > 8 else "")
    if one.minimum is None or one.maximum is None or one.kind.value == "time":
        return "–"
    return f"{one.minimum:g} to {one.maximum:g}"


def _lineage(manifest: Manifest) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    yield f"- {'run' if manifest.training is not None else 'adoption'}: `{manifest.run_id}`"
    yield f"- code: `{manifest.code_digest}` (in `source/`)" if manifest.code_digest else "- code: not known"
    yield f"- environment: `{manifest.lock_digest}` (`requirements.lock`)"
    yield f"- champion at sealing: {f'`{manifest.parent}`' if manifest.parent else 'none'}"
    training = manifest.training
    if training is not None:
        found = f"the best of {training.trials:,} trials"
        if training.parameters_of is not None:
            found = f"with the parameters of `{training.parameters_of}`"
        yield f"- candidate: `{code(training.candidate)}`, {found}"
        for name, value in training.params.items():
            yield f"  - `{code(name)}`: `{code(str(value))}`"
        yield f"- machine: {text(', '.join(training.machine.values()))}; {training.threads} threads"
    yield f"- mainspring {manifest.mainspring_version}"
    yield ""


def _reproduction(manifest: Manifest) -> Iterator[str]:
    yield "## How to reproduce it"
    yield ""
    if manifest.training is None:
        yield "It was adopted, not trained here: there is nothing to fit again."
    else:
        yield "```sh"
        yield f"mainspring reproduce {manifest.ref}"
        yield "```"
        yield ""
        yield (
            "fits it again from the snapshot, the sealed source and the recorded seeds, and compares every "
            "answer: the same bits on the same type of machine with the packages of `requirements.lock`."
        )
    yield ""
