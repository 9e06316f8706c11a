"""The top of a report: what changed, since when, does it hurt; a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mainspring.domain.alert import Alert, AlertState
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.change import Change
from mainspring.monitoring.report.series import Series, at_most
from mainspring.monitoring.report.words import counted, interval, listed, plain, sayer, slice_name, span, when


class Harm(StrEnum):
    """Whether users are served worse."""

    YES = "yes"  # by labels, or by a business figure
    LIKELY = "likely"  # by an estimate, or because the truth follows the inputs in another way
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Headline:
    """Attributes:
    title: the whole in one line.
    changed, since, hurts: the three answers.
    """

    title: str
    changed: str
    since: str
    hurts: str
    harm: Harm


_BY_TRUTH = (MonitorKind.PERFORMANCE, MonitorKind.BUSINESS)
_HARM = (*_BY_TRUTH, MonitorKind.ESTIMATE, MonitorKind.CONCEPT)
_ELSE = (MonitorKind.TECHNICAL, MonitorKind.FAIRNESS)


def headline_of(
    series: Sequence[Series],
    changes: Sequence[Change],
    alerts: Sequence[Alert],
    now: datetime,
    period: Window,
) -> Headline:
    """Say it in words. What is bad is named; what cannot be said is never called fine."""
    current = [one for one in series if one.current]
    bad = sorted((one for one in current if one.state is State.BAD), key=_weight)
    changed = [change for change in changes if change.state is State.BAD]
    harm, hurts = _harm(current)
    return Headline(
        _title(current, bad, changed, harm, alerts),
        _changed(changes, bad),
        _since(current, bad, changed, now, period),
        hurts,
        harm,
    )


def _title(
    current: Sequence[Series],
    bad: Sequence[Series],
    changed: Sequence[Change],
    harm: Harm,
    alerts: Sequence[Alert],
) -> str:
    if changed:
        names = listed([change.title for change in changed])
        after = {
            Harm.YES: ", and it hurts",
            Harm.LIKELY: ", and it is likely to hurt",
            Harm.NO: "; no harm is seen so far",
            Harm.UNKNOWN: "; whether it hurts cannot be said yet",
        }[harm]
        return f"{names} changed{after}"
    hurting = [one for one in bad if one.kind in _HARM]
    if hurting:
        return f"{_subject(hurting[0])} is not as it should be, though no input has changed"
    if bad:
        return f"{listed(list(dict.fromkeys(_subject(one) for one in bad)))} beyond the bar"
    if any(one.state is AlertState.FIRING for one in alerts):
        return "An alert is still firing, though the newest look is fine"
    if not any(one.state is State.FINE for one in current):
        return "There is not enough to say how the model does"
    return "All that could be measured is as it should be"


def _changed(changes: Sequence[Change], bad: Sequence[Series]) -> str:
    changed = [change for change in changes if change.state is State.BAD]
    inputs = [change for change in changes if not change.is_answer]
    if changed:
        first = changed[0]
        what = f"{first.title}: {plain(first.sentence.partition('; ')[0], 160)}" if first.sentence else first.title
        more = f" {counted(len(changed) - 1, 'other')} changed too." if len(changed) > 1 else ""
        same = sum(change.state is State.FINE for change in inputs)
        return f"{what}.{more}" + (f" {counted(same, 'other input')} did not change." if same else "")
    shifted = [one for one in bad if one.kind == MonitorKind.CONCEPT]
    if shifted:
        return "The truth follows the inputs in another way than before: the concept changed."
    if not changes:
        return "Whether inputs or answers changed was not measured."
    unsure = sum(change.state is State.UNKNOWN for change in changes)
    if unsure == len(changes):
        return "Whether inputs or answers changed could not be said."
    more = f" {counted(unsure, 'column')} could not be judged." if unsure else ""
    return f"None of {counted(len(changes) - unsure, 'column')} changed by more than matters.{more}"


def _since(
    current: Sequence[Series], bad: Sequence[Series], changed: Sequence[Change], now: datetime, period: Window
) -> str:
    began: dict[str, datetime] = {}
    for change in changed:
        if change.since is not None:
            began[change.title] = change.since
    whole = {one.name for one in bad if not one.slice}
    for one in bad:
        if one.kind in (*_HARM, *_ELSE) and one.since is not None and not (one.slice and one.name in whole):
            name = _subject(one)
            began[name] = min(began.get(name, one.since), one.since)
    if not began:
        if any(one.state is State.FINE for one in current):
            return f"Nothing bad lasts at the end of these {span(period.length)}."
        return "Not known."
    moments: dict[datetime, list[str]] = {}
    for name, moment in sorted(began.items(), key=lambda item: item[1]):
        moments.setdefault(moment, []).append(name)
    (start, names), *later = moments.items()
    who = f"{listed(names, 1)} {'was' if len(names) == 1 else 'were'}"
    if start <= min(one.points[0].window.end for one in current):
        text = f"{who} so already when this report begins, on {when(start)}."
    else:
        ago = now - start
        text = f"{who} first seen on {when(start)}"
        text += f", {span(ago)} ago." if ago >= timedelta(minutes=2) else ", just now."
    if later:
        text += f" Then {listed([f'{listed(names, 1)} on {when(moment)}' for moment, names in later])}."
    return text


def _harm(current: Sequence[Series]) -> tuple[Harm, str]:
    watched = [one for one in current if one.kind in _HARM]
    judged = sorted((one for one in watched if one.is_judged), key=_weight)
    truth = [one for one in judged if one.kind in _BY_TRUTH]
    guess = [one for one in judged if one.kind not in _BY_TRUTH]
    hurt = next((one for one in truth if one.state is State.BAD), None)
    if hurt is not None:
        return Harm.YES, f"Yes: {_known(hurt)}."
    hint = next((one for one in guess if one.state is State.BAD), None)
    if hint is not None:
        known = next((one for one in truth if one.known is not None), None)
        by_labels = f" By labels, {_known(known)}." if known is not None else ""
        return Harm.LIKELY, f"Likely: {_known(hint)}.{by_labels}"
    doubtful = next((one for one in judged if _is_doubtful(one)), None)
    if doubtful is not None:
        return Harm.UNKNOWN, f"Perhaps: {_said(doubtful, doubtful.newest)}. It is not sure yet."
    fine = [one for one in judged if one.state is State.FINE]
    if fine:
        # Labels that are late say how it was, the estimate how it is: both belong together.
        late = next((one for one in truth if one.state is State.UNKNOWN and one.known is not None), None)
        guessed = next((one for one in fine if one.kind == MonitorKind.ESTIMATE), None)
        told = [late, guessed] if late is not None and guessed is not None else fine[:1]
        return Harm.NO, f"No harm is seen: {'. '.join(_known(one) for one in told if one is not None)}."
    stale = next((one for one in judged if one.known is not None), None)
    if stale is not None:
        return Harm.UNKNOWN, f"Not known now. Last: {_known(stale)}."
    if not watched:
        return Harm.UNKNOWN, "Not known: neither performance nor an estimate of it is watched."
    note = next((one.newest.note for one in watched if one.newest.note), "no figure of the performance has a bar")
    return Harm.UNKNOWN, f"Not known: {plain(note, 200)}."


def _is_doubtful(series: Series) -> bool:
    """Beyond the bar, but not by so much that chance could not have made it so at one of many looks."""
    one = series.newest
    if one.state is not State.UNKNOWN or one.value is None or one.bar is None:
        return False
    return one.value > one.bar if at_most(series.points) else one.value < one.bar


def _known(series: Series) -> str:
    """The newest that is known, with its interval, its bar and its time."""
    one = series.known or series.newest
    late = series.newest.window.end - one.window.end >= one.window.length
    return _said(series, one) + (f" (up to {when(one.window.end)}, of which the labels are in)" if late else "")


def _said(series: Series, one: Measurement) -> str:
    if one.kind == MonitorKind.CONCEPT:
        return plain(one.note, 200) or "the truth follows the inputs in another way than before"
    say = sayer(one.kind, one.subject)
    verb = "is estimated at" if one.estimated else "is"
    text = f"{_subject(series)} {verb} {interval(say, one.value, one.low, one.high)}"
    if one.bar is None:
        return text
    return f"{text}, where {'at most' if at_most(series.points) else 'at least'} {say(one.bar)} is fine"


def _subject(series: Series) -> str:
    return f"{series.name} of {slice_name(dict(series.slice))}" if series.slice else series.name


def _weight(series: Series) -> tuple[int, int, float]:
    """Labels before estimates, all rows before slices, the worst first."""
    order = {MonitorKind.PERFORMANCE: 0, MonitorKind.BUSINESS: 1, MonitorKind.ESTIMATE: 2, MonitorKind.CONCEPT: 3}
    return (order.get(MonitorKind(series.kind), 4), len(series.slice), -series.severity)
