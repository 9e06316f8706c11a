"""The loop's state in words, for `mainspring status`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mainspring.cli.plain import counted, when


def loop_lines(of: Mapping[str, Any]) -> list[str]:
    """What the loop of a model is about to do; nothing where there is nothing to tell.

    Args:
        of: as `loop.loop_status` gives it.

    Examples:
        >>> quiet = {"model": "adclick", "stopped": 0} | dict.fromkeys(["training", "held", "next", "rollout"])
        >>> loop_lines(quiet)
        []
        >>> loop_lines({**quiet, "stopped": 3})
        ['adclick: 3 trainings in a row brought no new champion; none is started until: mainspring run']
    """
    model, training, held = of["model"], of["training"], of["held"]
    lines = [] if of["rollout"] is None else [_rollout(of["rollout"])]
    if training is not None:
        lines.append(f"{model} is being trained, for {training['kind']}: {training['reason']}")
        if training["attempts"]:
            lines.append(f"  in vain {counted(training['attempts'], 'time')}: {training['trouble']}")
    if of["stopped"]:
        count = counted(of["stopped"], "training")
        lines.append(f"{model}: {count} in a row brought no new champion; none is started until: mainspring run")
    elif held is not None:
        cause = f"{held['trigger']['kind']} ({held['trigger']['reason']})"
        until = f", until {_when(held['until'])}" if held["until"] else ""
        lines.append(f"{model} waits to be trained for {cause}: {held['because']}{until}")
    if of["next"] is not None:
        lines.append(f"{model} is trained by its schedule at {_when(of['next'])}")
    return lines


def _rollout(of: Mapping[str, Any]) -> str:
    stage = f"{of['stage']} step {of['step'] + 1}" if of["stage"] == "canary" else str(of["stage"])
    paused = f", paused since {_when(of['paused_at'])}" if of["paused_at"] else ""
    note = f": {of['note']}" if of["note"] else ""
    return f"{of['challenger']} is being proved: {stage} since {_when(of['entered_at'])}{paused}{note}"


def _when(text: str) -> str:
    return when(datetime.fromisoformat(text))
