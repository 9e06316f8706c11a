"""`mainspring status`: what answers, what runs, and what happened last."""

from datetime import datetime
from typing import Annotated, Any

import typer

from mainspring.cli.session import Session


def status(
    session: Session,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="T", help='Say what was in production then: 2026-03-01, "2026-03-01 14:30" (UTC), 7d.'
        ),
    ] = None,
) -> None:
    """Show what answers, what runs, what happened last."""
    from mainspring.cli.loop_lines import loop_lines
    from mainspring.cli.moments import read_moment
    from mainspring.cli.plain import counted, percent, when
    from mainspring.cli.production import all_models, tell_production
    from mainspring.cli.traffic_words import traffic_words
    from mainspring.loop.status import status as status_of

    output = session.output
    with session.workspace() as workspace:
        if at is not None:
            moment = read_moment(at, "--at", workspace.clock.now())
            tell_production(session, workspace.records, all_models(workspace.records), moment)
            return
        found = status_of(workspace)
    output.document(found)
    if not found["models"]:
        output.line("No model is routed yet; make a release with: mainspring run")
    else:
        output.table(
            ["model", "champion", "runtime", "metrics", "challenger"],
            [
                [
                    m["model"],
                    _name(m["champion"]),
                    (m["champion"] or {}).get("runtime", "–"),
                    _metrics(m["champion"]),
                    _name(m["challenger"]),
                ]
                for m in found["models"]
            ],
            title="Models",
        )
    for m in found["models"]:
        if any(m["traffic"].values()):
            output.line(f"Beside the champion of {m['model']}: {traffic_words(m['model'], m['traffic'])}")
    for alert in found["alerts"]:
        output.line(
            f"{alert['severity'].capitalize()}: {alert['monitor']} of {alert['model']}: {alert['summary']}; "
            f"see: mainspring alerts show {alert['id']}"
        )
    if found["labels"]:
        output.table(
            [
                "model",
                "predictions",
                "with a label",
                "of these before",
                "half of the labels within",
                "nine tenths",
            ],
            [
                [
                    of["model"],
                    f"{of['predictions']:,}",
                    f"{of['labelled']:,} ({percent(of['labelled'], of['predictions'])})"
                    + (f", {of['early']:,} known before" if of["early"] else ""),
                    _lasting(of["delay_median"]),
                    _lasting(of["delay_90"]),
                ]
                for of in found["labels"]
            ],
            title="Labels of the last week's predictions",
        )
    for of in found["loop"]:
        for line in loop_lines(of):
            output.line(line)
    if found["runs"]:
        output.table(
            ["run", "model", "state", "stage", "started"],
            [
                [
                    r["id"],
                    r["model"],
                    "under way or killed" if r["resumable"] else r["state"],
                    r["stage"],
                    when(datetime.fromisoformat(r["started_at"])),
                ]
                for r in found["runs"]
            ],
            title="Newest runs",
        )
    if found["workers"]:
        behind = [w for w, generation in found["workers"].items() if generation < found["generation"]]
        output.line(
            f"Gateway: {counted(len(found['workers']), 'live worker')}, "
            + (f"{len(behind)} behind the present routes" if behind else "all by the present routes")
        )
    else:
        output.line("Gateway: none is running; start one with: mainspring serve")
    if found["controller"] is None:
        output.line("Loop: none is running; start it and a gateway with: mainspring up")
    else:
        output.line(f"Loop: run by {found['controller']}")
    for line in _log_lines(found["log"]):
        output.line(line)
    for one in found["features"]:
        output.line(f"Features: {one['id']}: {_feature_line(one)}")
    if found["changes"]:
        output.table(
            ["when", "model", "alias", "from", "to", "by", "why"],
            [
                [
                    when(c["at"]),
                    c["model"],
                    c["alias"],
                    c["before"] or "–",
                    c["after"] or "–",
                    c["actor"],
                    c["reason"],
                ]
                for c in found["changes"]
            ],
            title="Newest changes",
        )


def _feature_line(one: dict[str, Any]) -> str:
    if one["age"] is None:
        return "being filled for the first time"
    words = f"{one['keys']:,} entities, brought up to date {_lasting(one['age'])} ago"
    words += f", more than {one['freshness']}" if one["is_stale"] else ""
    return f"{words}; the newest attempt failed: {one['trouble']}" if one["trouble"] else words


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _log_lines(log: dict[str, Any]) -> list[str]:
    waiting = f"{log['waiting_bytes']:,} bytes wait to be stored" if log["waiting_bytes"] else "nothing waits"
    if log["waiting_rows"]:
        waiting += f", {log['waiting_rows']:,} rows of them read"
    lines = [f"Prediction log: {log['explanation']}; {waiting}"]
    if log["in_force"]:
        lines.append(f"  the running gateway still goes by {' and '.join(log['in_force'])}; restart it")
    if log["drops"]:
        reasons = ", ".join(f"{why} {count:,}" for why, count in sorted(log["drops"].items()))
        lines.append(f"  {sum(log['drops'].values()):,} records were dropped ({reasons}); see the gateway's log")
    if log["damaged_records"] or log["damaged_bytes"]:
        lines.append(
            f"  {log['damaged_records']:,} records and {log['damaged_bytes']:,} bytes were damaged, and left out"
        )
    return [*lines, *(f"  {trouble}" for trouble in log["troubles"])]


def _name(release: dict[str, Any] | None) -> str:
    return release["release"] if release else "–"


def _metrics(release: dict[str, Any] | None) -> str:
    from mainspring.cli.views import metrics_line

    return metrics_line({name: estimate["value"] for name, estimate in (release or {}).get("metrics", {}).items()})
