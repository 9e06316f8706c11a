"""The analysis of an A/B test: fixed groups over a time, by what was answered and what came of it.

It may be looked at as often as one likes, and ended when it says what one wants to know: each interval holds at
all looks together. It is one for each figure, though: who looks at ten figures, and acts on whichever stands out,
is misled ten times as often. Decide before which one counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.release import OutputSpec, ReleaseRef
from mainspring.domain.rollout import ROW_METRICS
from mainspring.errors import UsageError
from mainspring.loop.ab.figures import difference
from mainspring.loop.ab.groups import NO_ARM, PER_ANSWER, Group, gather_groups
from mainspring.loop.ab.period import Period, newest_test
from mainspring.stats.sample_ratio import SampleRatio, sample_ratio
from mainspring.workspace import Workspace

ALPHA = 0.05
MISMATCH = 0.001
"""A chance so small that the sizes of the groups are no accident."""
_FOLLOWED = timedelta(minutes=1)  # within which every gateway worker follows new rules
_MOST_LABELLED = 0.8  # with a smaller share of labels, those that are there may be special


@dataclass(frozen=True, slots=True)
class GroupSize:
    """A group, and how large it is.

    Attributes:
        share: of the requests, that it should have had; `None` where that is not known.
        units: different keys, and requests that have none.
        labelled: answers of which the truth is known.
    """

    name: str
    releases: tuple[str, ...]
    share: float | None
    units: int
    answers: int
    labelled: int


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """A figure of a group, beside that of the control.

    Attributes:
        low, high: `None` where nothing can be said yet.
        difference: less the control's, with its bounds; `None` of the control itself.
        verdict: `better` or `worse` than the control for sure; empty where that cannot be told.
    """

    group: str
    rows: int
    value: float | None
    low: float | None
    high: float | None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure in all groups."""

    name: str
    less_is_better: bool
    groups: tuple[GroupFigure, ...]


@dataclass(frozen=True, slots=True)
class AbTest:
    """What is known of a test.

    Attributes:
        until: the end of what was looked at.
        is_running: it goes on.
        planned_end: until when; `None` where none was set.
        ratio: how the sizes of the groups fit their shares; `None` where that cannot be said.
        notes: what to bear in mind, in words.
    """

    model: str
    since: datetime
    until: datetime
    is_running: bool
    planned_end: datetime | None
    alpha: float
    control: str
    groups: tuple[GroupSize, ...]
    ratio: SampleRatio | None
    figures: tuple[Figures, ...]
    notes: tuple[str, ...]

    @property
    def is_mismatched(self) -> bool:
        """The groups are not of the sizes that they should be, so that nothing else can be believed."""
        return self.ratio is not None and self.ratio.p_value < MISMATCH


def analyse(workspace: Workspace, model: str, *, since: datetime | None = None) -> AbTest:
    """The test that runs, else the last one that ran.

    Args:
        since: only answers from then on; the whole test where not given.

    Raises:
        UsageError: there never was a test, or it had ended by `since`.
    """
    period = newest_test(workspace.records, model)
    if period is None:
        raise UsageError(
            f"{model!r} has had no arms yet",
            cure=f"begin a test: mainspring traffic {model} --arm control:N=50% --arm new:N=50%",
            where={"model": model},
        )
    start, end = period.start + _FOLLOWED, period.end or workspace.clock.now()
    start = start if since is None else max(since, start)
    if start >= end:
        when = f"ended at {end:%Y-%m-%d %H:%M}Z" if period.end else "has just begun"
        raise UsageError(
            f"the newest A/B test of {model} {when}", cure="give an earlier --since, or wait a little"
        )
    champion = _champion(workspace, model, period)
    outputs = _outputs(workspace, model, {champion, *(arm.number for arm in period.arms)})
    names = [arm.name for arm in period.arms]
    groups = gather_groups(workspace.tables, model, names, outputs, since=start, until=end)
    strays = 0
    if period.rest == 0:
        strays = groups.pop().answers
    control = _control(period, groups, champion)
    compared = [_figures(name, groups, control) for name in _names(groups)]
    return AbTest(
        model=model,
        since=start,
        until=end,
        is_running=period.end is None,
        planned_end=period.planned_end,
        alpha=ALPHA,
        control=control.name,
        groups=tuple(_size(model, period, group) for group in groups),
        ratio=_ratio(period, groups),
        figures=tuple(compared),
        notes=tuple(_notes(groups, strays)),
    )


def _champion(workspace: Workspace, model: str, period: Period) -> int:
    then = workspace.records.route_at(model, period.start)
    return then.champion if then is not None and then.champion is not None else period.arms[0].number


def _outputs(workspace: Workspace, model: str, numbers: set[int]) -> dict[int, OutputSpec]:
    catalogue = workspace.catalogue
    return {number: catalogue.manifest(catalogue.find(ReleaseRef(model, number))).output for number in numbers}


def _control(period: Period, groups: list[Group], champion: int) -> Group:
    """The arm that the champion answers, else those in no arm, else the first arm."""
    for arm, group in zip(period.arms, groups, strict=False):
        if arm.number == champion:
            return group
    return groups[-1] if groups[-1].name == NO_ARM else groups[0]


def _size(model: str, period: Period, group: Group) -> GroupSize:
    shares = {arm.name: arm.share for arm in period.arms}
    return GroupSize(
        name=group.name,
        releases=tuple(f"{model}@{number}" for number in sorted(group.releases)),
        share=shares.get(group.name, period.rest),
        units=group.units,
        answers=group.answers,
        labelled=group.labelled,
    )


def _ratio(period: Period, groups: list[Group]) -> SampleRatio | None:
    """By different keys: the requests of one go all the same way."""
    shares = {arm.name: arm.share for arm in period.arms}
    if period.rest:
        shares[NO_ARM] = period.rest
    counted = [(group.units, shares[group.name]) for group in groups if group.name in shares]
    if len(counted) < 2 or not any(units for units, _ in counted):
        return None
    return sample_ratio([units for units, _ in counted], [share for _, share in counted])


def _names(groups: list[Group]) -> list[str]:
    """Outcomes first, since a test is about what came of the answers; one that all have needs no second figure."""
    found = dict.fromkeys(name for group in groups for name in group.figures)
    whole = {
        name + PER_ANSWER
        for name in dict.fromkeys(name for group in groups for name in group.outcomes)
        if all(group.outcomes.get(name) == group.answers for group in groups)
    }
    seen = [name for name in found if name not in whole and any(_rows(group, name) for group in groups)]
    return sorted(seen, key=lambda name: (name in ROW_METRICS, name))


def _rows(group: Group, name: str) -> int:
    return group.figures[name].rows if name in group.figures else 0


def _figures(name: str, groups: list[Group], control: Group) -> Figures:
    less_is_better = name in ROW_METRICS
    return Figures(name, less_is_better, tuple(_figure(name, group, control, len(groups)) for group in groups))


def _figure(name: str, group: Group, control: Group, groups: int) -> GroupFigure:
    own, theirs = group.figures.get(name), control.figures.get(name)
    if own is None or own.mean is None:
        return GroupFigure(group.name, 0, None, None, None)
    found = GroupFigure(group.name, own.rows, own.mean, *_finite(own.interval(ALPHA)))
    if group is control or theirs is None or theirs.mean is None:
        return found
    low, high = difference(own, theirs, ALPHA / (groups - 1))  # of several comparisons each has its part
    verdict = ""
    if low > 0 or high < 0:
        verdict = "worse" if (low > 0) is (name in ROW_METRICS) else "better"
    bounds = _finite((low, high))
    return GroupFigure(
        found.group,
        found.rows,
        found.value,
        found.low,
        found.high,
        difference=own.mean - theirs.mean,
        difference_low=bounds[0],
        difference_high=bounds[1],
        verdict=verdict,
    )


def _finite(interval: tuple[float, float]) -> tuple[float | None, float | None]:
    low, high = (bound if math.isfinite(bound) else None for bound in interval)
    return low, high


def _notes(groups: list[Group], strays: int) -> list[str]:
    notes = []
    if strays:
        notes.append(f"the champion gave {strays:,} answers for arms, whose releases did not")
    for group in groups:
        if len(group.releases) > 1:
            notes.append(f"{group.name}: {len(group.releases)} releases answered; their answers are put together")
        if group.answers and 0 < group.labelled < _MOST_LABELLED * group.answers:
            notes.append(
                f"{group.name}: the truth is known of {group.labelled:,} of {group.answers:,} answers; what is "
                "known first need not be like the rest"
            )
    return notes
