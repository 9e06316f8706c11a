"""`mainspring history`: who or what did what, when, why and on which evidence."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session
from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.domain.history import Entry
    from mainspring.domain.ports import Records

_BROKEN = 3  # the exit code where the chain does not hold
_DIGEST = re.compile(r"[0-9a-f]{64}")


def history(
    session: Session,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Only this model; everything where not given.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="T", help='From then on: 2026-03-01, "2026-03-01 14:30" (UTC), 7d.')
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Only what was before then.")] = None,
    at: Annotated[str | None, typer.Option(metavar="T", help="Say instead what was in production then.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most as many entries, the newest.")] = 20,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check instead that nothing was altered since it was written.")
    ] = False,
    noted: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="With --verify: a digest that was noted earlier.")
    ] = None,
) -> None:
    """Show who or what did what, when, why and on which evidence.

    Everything that changes what answers or who decides is in it: champions, challengers, traffic, rollouts,
    trainings, triggers, pauses, keys, silences. It can only grow, and each entry carries a digest over itself
    and the one before it; --verify computes them again (exit code 3 where one does not hold). Note the newest
    digest elsewhere from time to time: who may write to the database could write all of it anew, and only
    --noted tells that.
    """
    from mainspring.cli.moments import read_moment
    from mainspring.cli.production import all_models, tell_production
    from mainspring.domain.release import ReleaseRef

    if noted is not None and not verify:
        raise UsageError("--noted goes with --verify only", cure="add --verify")
    if (verify or at is not None) and (since is not None or until is not None or (verify and at is not None)):
        raise UsageError("--at and --verify go with no other period and not with each other", cure="choose one")
    if noted is not None and not _DIGEST.fullmatch(noted):
        raise UsageError(f"--noted {noted!r} is no digest", cure="give the 64 digits that --verify printed")
    name = None if model is None else ReleaseRef.parse(model).model
    with session.workspace() as workspace:
        records, now = workspace.records, workspace.clock.now()
        if name is not None and not records.history(name, limit=1):
            raise UsageError(
                f"nothing ever happened to a model {name!r}", cure="see `mainspring status`", where={"model": name}
            )
        if verify:
            _verify(session, records, noted)
            return
        if at is not None:
            models = all_models(records) if name is None else [name]
            tell_production(session, records, models, read_moment(at, "--at", now))
            return
        start = None if since is None else read_moment(since, "--since", now)
        end = None if until is None else read_moment(until, "--until", now)
        entries = records.history(name, since=start, until=end, limit=limit + 1)
    shown = entries[:limit]
    session.output.document({"entries": shown, "more": len(entries) > limit})
    for entry in shown:
        _tell(session, entry)
    if not shown:
        session.output.line("Nothing happened then." if since or until else "Nothing has happened yet.")
    if len(entries) > limit:
        session.output.note(f"These are the newest {limit}; see more with --limit, or the earlier with --until")


def _tell(session: Session, entry: "Entry") -> None:
    from mainspring.cli.history_words import evidence_lines, what_happened
    from mainspring.cli.plain import one_line, when

    session.output.line(f"{when(entry.at)}  {one_line(what_happened(entry), 200)}", style="bold")
    because = f": {one_line(entry.reason, 400)}" if entry.reason else ""
    session.output.line(f"  by {one_line(entry.actor)}{because}  (entry {entry.id})")
    for line in evidence_lines(entry):
        session.output.line(f"    {one_line(line, 200)}")


def _verify(session: Session, records: "Records", noted: str | None) -> None:
    head, found = records.history_head(), records.verify_history(noted)
    session.output.document(
        {
            "holds": found is None,
            "entries": head.entries,
            "digest": head.digest,
            "broken": None if found is None else {"reason": found.reason, "entry": found.entry},
        }
    )
    if found is not None:
        session.output.line(f"The history does not hold: {found.reason}.", style="red")
        if found.entry is not None:
            session.output.line("What stands there now:")
            _tell(session, found.entry)
        session.output.note("Whatever comes before it holds. Compare with a backup to see what was altered.")
        raise typer.Exit(_BROKEN)
    session.output.line(f"The history holds: {head.entries:,} {'entry' if head.entries == 1 else 'entries'}.")
    session.output.line(f"The newest digest is {head.digest}")
    session.output.note("Note it elsewhere; later: mainspring history --verify --noted DIGEST")
