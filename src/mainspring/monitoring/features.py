"""The features of views: how old those in the online store are, and whether they are those that history knows.

`feature_age` is the time since the view's stored features were last brought up to date; its bar is the monitor's,
else the view's own `freshness`. `feature_agreement` is the share of a sample of answers whose features are those
that the view's rows give as of the answer's time (what is trained on): where it falls, training and serving see
different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainspring.domain.agreement import Disagreement, ViewAgreement
from mainspring.domain.durations import parse_duration
from mainspring.domain.materialised import Materialised
from mainspring.domain.measurement import Measurement
from mainspring.domain.monitor import Monitor
from mainspring.domain.release import ViewInput
from mainspring.monitoring.judgement import CONFIDENCE, Figure, judge_between
from mainspring.monitoring.look import Look
from mainspring.stats.proportions import wilson_interval

_NO_VIEWS = "the champion takes no features of views"


def feature_age(look: Look) -> list[Measurement]:
    """Of each view that the champion takes features of."""
    known = {one.id: one for one in look.context.materialised}
    views = look.context.manifest.views
    if not views:
        return [look.unknown(_NO_VIEWS)]
    return [_age(_of(look, view.view), view, known.get(view.id)) for view in views]


def feature_agreement(look: Look) -> list[Measurement]:
    """Of each view that the champion takes features of."""
    if not look.context.manifest.views:
        return [look.unknown(_NO_VIEWS)]
    if look.context.agreement is None:
        return [look.unknown("the project's model.py is not at hand; see: mainspring features check")]
    return agreement_measurements(look, look.context.agreement(look.window))


def agreement_measurements(look: Look, found: Sequence[ViewAgreement]) -> list[Measurement]:
    """What was found, judged by the monitor's bar."""
    return [_agreement(_of(look, one.view), one, views=len(found)) for one in found]


def _of(look: Look, view: str) -> Look:
    return replace(look, release=look.context.champion, slice={"view": view})


def _age(look: Look, view: ViewInput, materialised: Materialised | None) -> Measurement:
    context, monitor = look.context, look.monitor
    if materialised is None or materialised.until is None:
        return look.unknown(f"nothing was materialised yet; run: mainspring features materialize {view.view}")
    age = materialised.age(context.now)
    assert age is not None, "it was materialised"
    seconds = age.total_seconds()
    state, why, bar = judge_between(Figure(seconds, seconds, seconds, 0), _by_freshness(monitor, materialised))
    trouble = f"the newest materialisation failed: {materialised.trouble}" if materialised.trouble else ""
    note = "; ".join(text for text in (why, trouble) if text)
    return look.found(state, value=seconds, low=seconds, high=seconds, bar=bar, note=note)


def _by_freshness(monitor: Monitor, materialised: Materialised) -> Monitor:
    """The monitor with its own bar, else that of the view."""
    if monitor.at_most is not None or materialised.freshness is None:
        return monitor
    return replace(monitor, at_most=parse_duration(materialised.freshness).total_seconds())


def _agreement(look: Look, found: ViewAgreement, *, views: int) -> Measurement:
    if found.rows < look.monitor.min_rows:
        needed = f"{found.rows:,} answers could be recomputed, and {look.monitor.min_rows:,} are needed"
        note = "; ".join(text for text in (needed, found.note) if text)
        return look.unknown(note, rows=found.rows, value=found.share)
    low, high = wilson_interval(found.agreeing, found.rows, CONFIDENCE)
    figure = Figure(found.share, low, high, found.rows)
    state, why, bar = judge_between(figure, look.monitor, figures=views)
    note = "; ".join(text for text in (why, found.note) if text)
    example = _shown(found.worst[0]) if found.worst else {}
    return look.found(state, bar=bar, note=note, method="share", example=example, **figure.facts)


def _shown(one: Disagreement) -> dict[str, object]:
    return {
        "id": one.prediction,
        "feature": one.feature,
        "answered": one.answered,
        "recomputed": one.recomputed,
    }
