"""`mainspring alerts`: what is wrong now, why, who is told, and who is not."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.session import Session, verb

if TYPE_CHECKING:
    from mainspring.domain.alert import Alert, Silence
    from mainspring.domain.ports import Records
    from mainspring.domain.ports_alerts import AlertRecords

app = typer.Typer(
    name="alerts",
    help="See the alerts, their causes, who is told; silence them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_MANY = 10_000


def list_alerts(
    session: Session,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Of one model only.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List the open alerts, the silences, and what could not be told."""
    from mainspring.cli.plain import counted, when
    from mainspring.domain.alert import AlertState
    from mainspring.domain.alert_noise import noise
    from mainspring.domain.notification import NotificationState
    from mainspring.monitoring.alerts.document import alert_document
    from mainspring.monitoring.alerts.wording import summary

    with session.workspace() as workspace:
        records, now = workspace.records, workspace.clock.now()
        known = records.alerts(model, limit=_MANY)
        silences = records.silences(live_at=now)
        untold = records.notifications(states=(NotificationState.WAITING, NotificationState.FAILED), limit=_MANY)
        heard = noise(known, workspace.settings.alerts.budget_per_week, now=now)
    shown = [one for one in known if all_ or one.state is not AlertState.RESOLVED]
    quiet = {one.id: _silence_of(one, silences, now) for one in shown if one.is_open}
    session.output.document(
        {
            "alerts": [{**alert_document(one), "silenced": quiet.get(one.id) is not None} for one in shown],
            "silences": silences,
            "untold": [
                {
                    "id": one.id,
                    "sink": one.sink,
                    "state": one.state,
                    "attempts": one.attempts,
                    "error": one.error,
                    "due_at": one.due_at,
                }
                for one in untold
            ],
            "noise": {
                "fired": heard.fired,
                "budget": heard.budget,
                "over": heard.is_over,
                "short": heard.short,
                "flapping": heard.flapping,
                "by_monitor": [
                    {"model": name, "monitor": monitor, "fired": count}
                    for (name, monitor), count in heard.by_monitor
                ],
            },
        }
    )
    if shown:
        session.output.table(
            ["id", "model", "monitor", "severity", "state", "since", "cause"],
            [
                [
                    one.id,
                    one.model,
                    one.monitor,
                    one.severity,
                    f"{one.state}, silenced" if quiet.get(one.id) else one.state,
                    when(one.since),
                    summary(one),
                ]
                for one in shown
            ],
        )
    else:
        session.output.line("There are no alerts." if all_ else "There are no open alerts.")
    if silences:
        session.output.table(
            ["silence", "of", "until", "by", "reason"],
            [[one.id, f"{one.model}/{one.monitor}", when(one.until), one.by, one.reason] for one in silences],
        )
    for one in untold:
        if one.error:
            state = "given up" if one.state is NotificationState.FAILED else f"tried again {when(one.due_at)}"
            session.output.line(f"{one.sink}: {counted(one.attempts, 'attempt')}, {state}: {one.error}")
    for sink, count in sorted(Counter(one.sink for one in untold if not one.error).items()):
        session.output.line(
            f"{sink}: {counted(count, 'message')} not sent yet; `mainspring monitor run` sends them"
        )
    session.output.line(str(heard), style="yellow" if heard.is_over else None)


def show(
    session: Session,
    alert: Annotated[str, typer.Argument(metavar="ID", help="The alert's id or its beginning, or a monitor.")],
) -> None:
    """Show what an alert is about: which feature and slice, since when, an example, and where to look further."""
    from mainspring.cli.plain import counted, when
    from mainspring.monitoring.alerts.document import alert_document
    from mainspring.monitoring.alerts.wording import describe, details, next_steps

    with session.workspace() as workspace:
        found = _find(workspace.records, alert)
        silence = _silence_of(found, workspace.records.silences(), workspace.clock.now())
    session.output.document(
        {**alert_document(found), "silence": silence if found.is_open else None, "look_further": next_steps(found)}
    )
    say = session.output.line
    say(f"{found.monitor} of {found.model}: {found.state} ({found.severity})", style="bold")
    say(f"since      {when(found.since)}")
    times = {
        "fired": found.fired_at,
        "told": found.told_at,
        "last bad": found.last_seen,
        "over": found.resolved_at,
    }
    for name, moment in times.items():
        if moment is not None:
            say(f"{name:<10} {when(moment)}")
    if found.ending:
        say(f"because    {found.ending}")
    if found.owner:
        say(f"owner      {found.owner}")
    if found.times_changed:
        say(f"flapping   went to and fro {counted(found.times_changed, 'time')}: its bar lies in the noise")
    if silence is not None and found.is_open:
        say(f"silenced   until {when(silence.until)} by {silence.by}: {silence.reason}")
    for cause in found.causes:
        say()
        say(describe(cause), style="bold")
        for line in details(cause):
            say(f"  {line}")
    say()
    say("look further:")
    for step in next_steps(found):
        say(f"  {step}")


def silence(
    session: Session,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL[/MONITOR]", help="Whose alerts; * and ? stand for anything. Or an alert's id."
        ),
    ] = None,
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, e.g. 2h.")] = "2h",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who wonder.")] = "by hand",
    end: Annotated[str | None, typer.Option(metavar="ID", help="End this silence instead.")] = None,
) -> None:
    """Tell nobody of some alerts for a while; those that are still firing then are told."""
    from mainspring.cli.plain import when
    from mainspring.domain.alert import Silence
    from mainspring.domain.ids import uuid7
    from mainspring.domain.monitor import positive_duration
    from mainspring.errors import UsageError

    if (what is None) == (end is None):
        raise UsageError(
            "it is not said what to silence" if what is None else "there is something to silence and one to end",
            cure="give MODEL or MODEL/MONITOR, or --end ID",
        )
    with session.workspace() as workspace:
        now = workspace.clock.now()
        if end is not None:
            made = workspace.records.end_silence(end, now, actor=session.actor)
        else:
            try:
                until = now + positive_duration(for_, "--for")
            except OverflowError as error:
                raise UsageError(f"--for {for_} is beyond all calendars", cure="give e.g. 2h") from error
            model, monitor = _patterns(workspace.records, what or "")
            made = Silence(
                id=uuid7(workspace.clock),
                model=model,
                monitor=monitor,
                created_at=now,
                until=until,
                by=session.actor,
                reason=reason,
            )
            workspace.records.add_silence(made)
    session.output.document(made)
    verb_ = "was silenced until" if end is not None else "is silenced until"
    session.output.line(f"{made.model}/{made.monitor} {verb_} {when(made.until)}.")
    if end is None:
        session.output.note(f"End it earlier with: mainspring alerts silence --end {made.id}")


def send_test_alert(session: Session) -> None:
    """Send a test alert to everybody who would be told; exit code 1 where one does not take it."""
    from mainspring.errors import UsageError
    from mainspring.monitoring.alerts.trial import send_test
    from mainspring.monitoring.sinks.opening import open_sinks

    with session.workspace() as workspace:
        settings = workspace.settings
        sinks = open_sinks(settings.alerts, console=sys.stderr, clock=workspace.clock)
        if not sinks:
            raise UsageError(
                "alerts go nowhere", cure="name a file, a webhook_url or an alertmanager_url under [alerts]"
            )
        deliveries = send_test(sinks, settings.name, workspace.clock)
    session.output.document({"deliveries": deliveries})
    for one in deliveries:
        if one.error:
            session.output.line(f"{one.sink}: NOT delivered: {one.error}", style="red")
            session.output.line(f"  cure: {one.cure}")
        else:
            session.output.line(f"{one.sink}: delivered in {one.seconds:.2f} s")
    if any(one.error for one in deliveries):
        raise typer.Exit(1)


def _find(records: "Records", text: str) -> "Alert":
    from mainspring.errors import UsageError

    found = records.alert(text) or next((one for one in records.alerts(limit=_MANY) if one.monitor == text), None)
    if found is None:
        raise UsageError(
            f"there is no alert {text!r}", cure="see `mainspring alerts list --all`", where={"alert": text}
        )
    return found


def _patterns(records: "AlertRecords", what: str) -> tuple[str, str]:
    alert = records.alert(what)
    if alert is not None:
        return alert.model, alert.monitor
    model, _, monitor = what.partition("/")
    return model or "*", monitor or "*"


def _silence_of(alert: "Alert", silences: Any, now: Any) -> "Silence | None":
    return next((one for one in silences if one.covers(alert.model, alert.monitor, now)), None)


for _name, _verb in (("list", list_alerts), ("show", show), ("silence", silence), ("test", send_test_alert)):
    app.command(_name)(verb(_verb))
