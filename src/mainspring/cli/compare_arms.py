"""An A/B test, as people and programs read it."""

from typing import TYPE_CHECKING, Any

from mainspring.cli.plain import number, percent, to_json, when
from mainspring.cli.session import Session
from mainspring.cli.traffic_words import end_words
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.cli.output import Output
    from mainspring.loop.ab.analysis import AbTest, Figures, GroupFigure


def show_arms(session: Session, model: str, since: str | None) -> None:
    """Analyse the model's newest test.

    Raises:
        UsageError: a release in place of a model, or a model that had no test.
    """
    from mainspring.cli.moments import read_moment
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.ab.analysis import analyse

    name = ReleaseRef.parse(model).model
    if name != model:
        raise UsageError(f"{model} is a release", cure=f"give the model: mainspring compare {name} --arms")
    with session.workspace() as workspace:
        start = None if since is None else read_moment(since, "--since", workspace.clock.now())
        found = analyse(workspace, name, since=start)
    session.output.document(_document(found))
    _tell(session.output, found)


def _document(found: "AbTest") -> dict[str, Any]:
    document: dict[str, Any] = to_json(found)
    document["ratio_mismatch"] = found.is_mismatched
    document["verdicts"] = verdicts(found)
    return document


def _tell(output: "Output", found: "AbTest") -> None:
    state = "is running" if found.is_running else "has ended"
    output.line(f"The A/B test of {found.model} {state}: {when(found.since)} to {when(found.until)}.")
    if found.is_running:
        output.line(end_words(found.planned_end, found.model, found.until))
    total = sum(group.units for group in found.groups)
    output.table(
        ["group", "release", "keys", "of all", "should be", "answers", "with a label"],
        [
            [
                group.name + (" (control)" if group.name == found.control else ""),
                ", ".join(group.releases) or "–",
                f"{group.units:,}",
                percent(group.units, total),
                "–" if group.share is None else f"{group.share:.1%}",
                f"{group.answers:,}",
                percent(group.labelled, group.answers),
            ]
            for group in found.groups
        ],
        right=("keys", "of all", "should be", "answers", "with a label"),
    )
    rows = [_row(figures, group, found.control) for figures in found.figures for group in figures.groups]
    if rows:
        output.table(
            ["figure", "group", "rows", "value", f"less {found.control}", "verdict"], rows, right=("rows",)
        )
    for note in found.notes:
        output.line(f"Note: {note}.")
    for verdict in verdicts(found):
        output.line(verdict)


def _row(figures: "Figures", group: "GroupFigure", control: str) -> list[str]:
    is_first = group is figures.groups[0]
    nothing = "" if group.group == control else "–"
    return [
        figures.name + (" (less is better)" if figures.less_is_better else "") if is_first else "",
        group.group,
        f"{group.rows:,}",
        _interval(group.value, group.low, group.high),
        nothing
        if group.difference is None
        else _interval(group.difference, group.difference_low, group.difference_high),
        group.verdict or ("" if group.difference is None else "not told apart"),
    ]


def verdicts(found: "AbTest") -> list[str]:
    """What the test says, in a sentence each; of groups of the wrong sizes it says nothing else."""
    if found.ratio is not None and found.is_mismatched:
        return [
            f"The groups are not of the sizes that they should be (p = {found.ratio.p_value:.2g}): something "
            "sends requests astray or loses them. Until it is known what, no figure here can be believed."
        ]
    told = [
        f"{group.group} is {group.verdict} than {found.control} in {figures.name}, by "
        f"{_span(group.difference_low, group.difference_high)}."
        for figures in found.figures
        for group in figures.groups
        if group.verdict
    ]
    return told or ["No group can be told from the control yet."]


def _span(low: float | None, high: float | None) -> str:
    """A range of sizes, without their sign."""
    ends = sorted(abs(bound) for bound in (low, high) if bound is not None)
    return f"{number(ends[0])} to {number(ends[1])}" if len(ends) == 2 else f"{number(ends[0])} or more"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.52 (0.49 to 0.55)`; an end of which nothing is known is open."""
    if value is None:
        return "–"
    if low is None and high is None:
        return f"{number(value)} (nothing to say yet)"
    return f"{number(value)} ({number(low)} to {number(high)})"
