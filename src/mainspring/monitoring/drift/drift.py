"""The monitors of inputs and of answers: is what comes in, and what goes out, as it was?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mainspring.domain.durations import parse_duration
from mainspring.domain.measurement import Measurement, State, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.prediction_log import Role
from mainspring.monitoring.context import Context
from mainspring.monitoring.drift.classifier import classifier
from mainspring.monitoring.drift.judging import Judged, judged
from mainspring.monitoring.drift.outliers import outliers
from mainspring.monitoring.drift.reference import Reference, reference_of
from mainspring.monitoring.drift.words import told
from mainspring.monitoring.hours.window_profile import WindowProfile
from mainspring.monitoring.look import Look
from mainspring.release.reference_profile import PREDICTION
from mainspring.stats.drift import compare
from mainspring.stats.drift_result import UNSEEN, Drift
from mainspring.stats.multiple import FALSE_ALERTS_PER_YEAR, alpha_per_look
from mainspring.stats.profile import ColumnProfile

_YEAR = timedelta(days=365)
_FIRST_DAY = timedelta(days=1)


def drift(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """Compare the inputs of all releases' answers with the reference, feature by feature and slice by slice.

    One measurement a feature, of its distribution; its missing share, unseen categories and values out of range
    are looked at too, and told as `age: missing` where they are what is bad. All of it is one family: where
    nothing changed, fewer than `FALSE_ALERTS_PER_YEAR` looks a year find anything, however often one looks.
    """
    if monitor.method == "classifier":
        return classifier(context, monitor, window)
    found = _Findings(monitor)
    names = monitor.features or tuple(one.name for one in context.manifest.inputs)
    for look in _looks(context, monitor, window):
        current = context.profile(window, slice=look.slice)
        reference = found.reference(look, current)
        if reference is not None:
            found.compare(look, names, reference.inputs.columns, current.inputs.columns, reference, current)
    return found.measurements()


def prediction(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """Compare what each release answers, and how sure it is, with what it answered on its reference.

    And the share of the champion's requests that are unusual.
    """
    found = _Findings(monitor)
    for release in (context.champion, *context.challengers):
        if release not in context.manifests:
            continue
        # A challenger may have answered beside the champion only, unheard.
        roles = None if release == context.champion else tuple(Role)
        for look in _looks(context, monitor, window, release):
            current = context.profile(window, release=release, roles=roles, slice=look.slice)
            reference = found.reference(look, current, roles)
            if reference is not None:
                before, now = reference.prediction.columns, current.prediction.columns
                found.compare(look, _answers(look), before, now, reference, current)
    return [*found.measurements(), *outliers(context, monitor, window)]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column of the window and of its reference."""

    look: Look
    name: str
    reference: ColumnProfile
    current: ColumnProfile
    against: Reference
    note: str


@dataclass(slots=True)
class _Findings:
    """What one look at all features, slices and releases gathers before it is judged as a whole."""

    monitor: Monitor
    pairs: list[_Pair] = field(default_factory=list)
    unsaid: list[Measurement] = field(default_factory=list)

    def reference(
        self, look: Look, current: WindowProfile, roles: Sequence[str] | None = None
    ) -> Reference | None:
        """What the window is compared with; `None` where there is not enough to say, which is noted."""
        few = self.monitor.min_rows
        if current.rows < few:
            rows = f"{current.rows:,} rows, fewer than {few:,}" if current.rows else "no rows"
            self.unsaid.append(look.unknown(f"the window has {rows}: not enough to say", rows=current.rows))
            return None
        found = reference_of(
            look.context, self.monitor, look.window, release=look.release, roles=roles, slice=look.slice
        )
        if found.absent:
            self.unsaid.append(look.unknown(found.absent, rows=current.rows))
            return None
        return found

    def compare(
        self,
        look: Look,
        names: Sequence[str],
        before: Mapping[str, ColumnProfile],
        now: Mapping[str, ColumnProfile],
        reference: Reference,
        current: WindowProfile,
    ) -> None:
        """Note the columns of these names, to be judged with all others."""
        for name in names:
            if name not in before or name not in now:
                why = _why_not(look, name, "window" if name not in now else "reference")
                self.unsaid.append(look.unknown(why, subject=name, rows=current.rows))
                continue
            kinds = "another release has it as another kind: left out" if name in current.other_kind else ""
            note = "; ".join(filter(None, [reference.note, kinds]))
            self.pairs.append(_Pair(look, name, before[name], now[name], reference, note))

    def measurements(self) -> list[Measurement]:
        """Of all that was noted."""
        method = self.monitor.method
        drifts = {
            place: (pair.current.kind, compare(pair.reference, pair.current, method=method))
            for place, pair in enumerate(self.pairs)
        }
        looks_per_year = max(1.0, _YEAR / parse_duration(self.monitor.every))
        alpha = alpha_per_look(FALSE_ALERTS_PER_YEAR, looks_per_year)
        found = list(self.unsaid)
        for place, components in judged(drifts, alpha, self.monitor.at_most).items():
            pair, drift_ = self.pairs[place], drifts[place][1]
            found.append(_measurement(pair, drift_, components[0], pair.name))
            found += [
                _measurement(pair, drift_, one, f"{pair.name}: {one.component.name.replace('_', ' ')}")
                for one in components[1:]
                if one.state is State.BAD
            ]
        return found


def _looks(context: Context, monitor: Monitor, window: Window, release: int | None = None) -> Iterator[Look]:
    """All rows, and each slice that the window has."""
    yield Look(context, monitor, window, release)
    if monitor.by:
        for values, _ in context.slices(window, monitor.by):
            yield Look(context, monitor, window, release, values)


def _why_not(look: Look, name: str, side: str) -> str:
    """Why a column cannot be compared."""
    fields = {one.name: one for one in look.manifest.inputs}
    if name in fields and fields[name].personal is not None:
        return "it is personal: the prediction log does not have it in clear"
    if name not in fields and look.monitor.features and name in look.monitor.features:
        return f"the release has no input {name!r}; correct `features` of the monitor"
    return f"the {side} does not have it"


def _answers(look: Look) -> tuple[str, ...]:
    """The answer, and the probabilities; of two classes the positive one's, since the other's says the same."""
    output = look.manifest.output
    classes = (output.positive,) if output.positive is not None and len(output.classes) == 2 else output.classes
    return (PREDICTION, *(f"probability:{name}" for name in classes))


def _measurement(pair: _Pair, drift: Drift, one: Judged, subject: str) -> Measurement:
    component = one.component
    notes = [component.note, pair.note]
    if one.state is State.BAD:
        notes = [told(component, drift, pair.reference, pair.current), _origin(pair), *notes]
    example: Mapping[str, Any] = component.example
    if component.name == UNSEEN and drift.unseen:
        value, rows = next(iter(drift.unseen.items()))
        example = {"value": value, "rows": rows}
    return pair.look.found(
        one.state,
        subject=subject,
        value=component.effect,
        bar=one.bar,
        rows=pair.current.rows,
        method=component.method,
        p_value=one.p_value,
        note="; ".join(filter(None, notes)),
        example=example,
    )


def _origin(pair: _Pair) -> str:
    """What a difference from this reference means."""
    look, against = pair.look, pair.against
    if not against.sealed:
        return f"against {against.what}"
    if look.window.start - look.manifest.created_at < _FIRST_DAY:
        return (
            f"against {against.what}, and so from its first day on: rather skew between training and serving than "
            "drift, so compare how both come to this value"
        )
    return f"against {against.what}: drift since then, or skew between training and serving"
