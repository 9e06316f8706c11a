"""Performance by the labels that came in: each release against its bar or its sealed figure, and side by side."""

from __future__ import annotations

from dataclasses import replace

from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.task import METRICS
from mainspring.errors import DeclarationError
from mainspring.monitoring.context import Context
from mainspring.monitoring.judgement import Figure, judge, surety
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.challenger import challengers
from mainspring.monitoring.performance.figures import figure_of, figures_of
from mainspring.monitoring.performance.labelled import Labelled, labelled
from mainspring.monitoring.performance.maturity import immature, note_of
from mainspring.monitoring.performance.past_reference import reference_figure
from mainspring.monitoring.performance.release_rows import release_rows
from mainspring.monitoring.performance.row_slices import row_slices
from mainspring.release.reference_rows import read_reference_rows
from mainspring.training.metrics import metric_names


def performance(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """What the monitor's metric was over the window, for each release that answered, by slice where it has some.

    The other metrics of the task stand beside it and are not judged. A window that has too few labels yet, too few
    rows or no release that is known gives one measurement that says so. Of the challengers that answered in the
    shadow it says by how much they are better on the same rows.
    """
    look = Look(context, monitor, window)
    rows = context.joined(window)
    if not rows.height:
        return [look.unknown("nothing was answered in this time")]
    found: list[Measurement] = []
    for number in sorted(set(rows.get_column("release").to_list())):
        one = replace(look, release=number)
        if number not in context.manifests:
            found.append(one.unknown(f"release {number} is not known any more"))
        elif monitor.subject not in metric_names(one.manifest.task):
            found.append(one.unknown(not_of_task(monitor.subject, one)))
        else:
            found += _of_release(one, labelled(release_rows(context, rows, number), one.manifest))
    return found + challengers(look, rows)


def not_of_task(metric: str, look: Look) -> str:
    """That a metric cannot be measured, and which can."""
    task = look.manifest.task
    return f"{metric} is no metric of a {task} model; use one of: {', '.join(metric_names(task))}"


def sealed_bar(monitor: Monitor, sealed: Figure | None) -> float | None:
    """The bar: the user's own, else the release's figure less the margin; `None` where there is neither."""
    greater = METRICS[monitor.subject].greater_is_better
    given = monitor.at_least if greater else monitor.at_most
    if given is not None or sealed is None or sealed.value is None:
        return given
    margin = monitor.margin or 0.0
    return sealed.value - margin if greater else sealed.value + margin


def _of_release(look: Look, known: Labelled) -> list[Measurement]:
    metric = look.monitor.subject
    if waiting := immature(look, known):
        return [look.unknown(waiting, rows=len(known.truth))]
    names = metric_names(look.manifest.task)
    figures = figures_of(known, names)
    first = _judged(look, figures[metric], reference_figure(look, metric), known, 1)
    beside = [
        look.found(
            State.UNKNOWN if figures[name].value is None else State.FINE,
            subject=name,
            reference=_value(figure_of(look.manifest.metrics.get(name))),
            note="it is not defined on these rows" if figures[name].value is None else "shown, not judged",
            method="bootstrap",
            **figures[name].facts,
        )
        for name in names
        if name != metric
    ]
    return [first, *_slices(look, known), *beside]


def _slices(look: Look, known: Labelled) -> list[Measurement]:
    """The metric on each slice, against the same slice of the release's holdout rows."""
    monitor, metric = look.monitor, look.monitor.subject
    if not monitor.by:
        return []
    fields = look.manifest.inputs
    try:
        groups = row_slices(known.rows, monitor.by, fields)
    except DeclarationError as error:
        return [look.unknown(str(error))]
    reference = read_reference_rows(look.context.folders[look.manifest.number], look.manifest)
    held = None if reference is None else labelled(reference, look.manifest)
    measured = [(values, places) for values, places in groups if places.size >= monitor.min_rows]
    of_reference: dict[tuple[str, ...], Figure] = {}
    if held is not None and all(INPUT_PREFIX + name in held.rows.columns for name in monitor.by):
        wanted = {tuple(values.values()) for values, _ in measured}
        for values, places in row_slices(held.rows, monitor.by, fields):
            if (key := tuple(values.values())) in wanted and places.size >= monitor.min_rows:
                of_reference[key] = figures_of(held.at(places), [metric])[metric]
    found = []
    for values, places in groups:
        one = replace(look, slice=values)
        if places.size < monitor.min_rows:
            note = f"{places.size:,} rows with a label, and {monitor.min_rows:,} are needed"
            found.append(one.unknown(note, rows=int(places.size)))
            continue
        part = known.at(places)
        figure = figures_of(part, [metric])[metric]
        found.append(_judged(one, figure, of_reference.get(tuple(values.values())), part, len(measured)))
    return found


def _judged(look: Look, figure: Figure, sealed: Figure | None, known: Labelled, figures: int) -> Measurement:
    """Args:
    sealed: the same figure over the reference, where it is known.
    figures: how many are judged at this look.
    """
    monitor, metric = look.monitor, METRICS[look.monitor.subject]
    bar = sealed_bar(monitor, sealed)
    own = monitor.margin is None
    state, why = judge(
        figure,
        bar,
        greater_is_better=metric.greater_is_better,
        surety=surety(monitor, figures),
        of_bar=None if own else sealed,
    )
    if bar is None and state is State.FINE:
        state, why = State.UNKNOWN, "there is no figure to compare it with; give the monitor a bar"
    if figure.value is None:
        why = _undefined(known)
    return look.found(
        state,
        reference=_value(sealed),
        bar=bar,
        method="bootstrap",
        note="; ".join(text for text in (why, "" if look.slice else note_of(known)) if text),
        **figure.facts,
    )


def _undefined(known: Labelled) -> str:
    classes = known.output.classes
    if classes and len(seen := set(known.truth.tolist())) == 1:
        return f"all {len(known.truth):,} labels are {classes[seen.pop()]!r}, on which it is not defined"
    return f"it is not defined on these {len(known.truth):,} rows"


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value
