"""What monitors found, for people: what is bad, which alerts follow, and how many figures there are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.cli.output import Output

if TYPE_CHECKING:
    from mainspring.domain.alert import Event
    from mainspring.domain.measurement import Measurement

FOUND = 3
"""The exit code where something is wrong."""


def tell_findings(output: Output, measurements: "Sequence[Measurement]", events: "Sequence[Event]") -> bool:
    """Print them; whether anything is bad."""
    from mainspring.cli.plain import number, one_line
    from mainspring.domain.measurement import State

    bad = [one for one in measurements if one.state is State.BAD]
    for one in bad:
        value = f" {number(one.value)}" if one.value is not None else ""
        bar = f" (bar {number(one.bar)})" if one.bar is not None else ""
        job = f" in {one_line(one.job)}" if one.job else ""
        output.line(
            f"{one.monitor}: {one.subject or 'all features'}{job}{value}{bar} {one_line(one.note, 120)}".rstrip()
        )
    for event in events:
        output.line(f"alert {event.kind}: {event.alert.monitor} ({event.alert.severity})")
    if measurements:
        states = [one.state for one in measurements]
        counts = ", ".join(f"{states.count(state):,} {state}" for state in State if state in states)
        output.line(f"{len(states):,} figures ({counts})")
    return bool(bad)
