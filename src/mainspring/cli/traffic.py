"""`mainspring traffic`: let other releases than the champion answer a share of the requests, or watch."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.session import Session
from mainspring.cli.traffic_words import end_words
from mainspring.errors import DeclarationError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from mainspring.domain.routing import Traffic

_PART = re.compile(r"(?:([^:=]+):)?(\d{1,9})=(\d{1,3}(?:\.\d+)?%|[01]?\.\d+|[01])")


def traffic(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose traffic is shared.")],
    canary: Annotated[
        str | None, typer.Option(metavar="N=SHARE", help="A release that answers a share, e.g. 7=10%.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:N=SHARE", help="A group of an A/B test, e.g. blue:7=25%; repeat it."),
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option(metavar="N=SHARE", help="A release that answers unheard, e.g. 8=100%; repeat it."),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="How long from now on the A/B test goes on, e.g. 14d."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Give everything to the champion again.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")] = "by hand",
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the gateway's workers.")
    ] = 30.0,
) -> None:
    """Show or set how a model's traffic is shared.

    What is given replaces all rules that were set before. An A/B test that is given a time is ended by the
    loop (`mainspring up`), and goes on until --clear without one. Who gets which release is decided by a hash of
    the request's x-routing-key header, else of its first row's key, else of its own id: so it stays the same
    for a key, also while a canary's share grows. Returns when every live gateway worker follows the rules.
    """
    from mainspring.domain.release import ReleaseRef
    from mainspring.loop.rollout.promotion import share_traffic

    given = bool(canary or arm or shadow)
    if given and clear:
        raise UsageError("--clear goes with no other rule", cure="leave one of them out")
    if period is not None and not arm:
        raise UsageError("--for says how long arms answer", cure="give --arm too, or leave --for out")
    name = ReleaseRef.parse(model).model
    with session.workspace() as workspace:
        now = workspace.clock.now()
        if not given and not clear:
            route = workspace.records.routes().of(name)
            if route is None:
                raise UsageError(
                    f"the model {name!r} has no champion", cure="see `mainspring status`", where={"model": name}
                )
            _tell(session, name, route.traffic, now)
            return
        end = None if period is None else _end(period, now)
        rules = read_rules(name, canary, arm or [], shadow or [], end)
        generation, followed = share_traffic(
            workspace.records,
            name,
            rules,
            actor=session.actor,
            reason=reason,
            clock=workspace.clock,
            wait_seconds=wait,
        )
        _tell(session, name, rules, now, generation=generation, acknowledged=followed)
        workers = len(workspace.records.workers())
    if not workers:
        session.output.line("No gateway is running; the next one will follow it.")
    elif followed:
        session.output.line(f"Every gateway worker ({workers}) follows it.")
    else:
        session.output.note(f"Not every gateway worker follows it after {wait:g} s; see mainspring status")


def read_rules(
    model: str, canary: str | None, arms: list[str], shadows: list[str], arms_end: "datetime | None" = None
) -> "Traffic":
    """The rules as they were written on the command line.

    Raises:
        UsageError: one of them cannot be read, or they make no sense together.

    Examples:
        >>> read_rules("adult", "7=10%", ["blue:adult@8=0.25"], []).arms
        (Arm(name='blue', number=8, share=0.25),)
    """
    from mainspring.domain.routing import Arm, Share, Traffic

    return Traffic(
        canary=None if canary is None else Share(*_part(model, "--canary", canary, named=False)[1:]),
        arms=tuple(Arm(*_part(model, "--arm", text, named=True)) for text in arms),
        shadows=tuple(Share(*_part(model, "--shadow", text, named=False)[1:]) for text in shadows),
        arms_end=arms_end,
    )


def _end(period: str, now: "datetime") -> "datetime":
    from mainspring.domain.durations import parse_duration

    try:
        end = now + parse_duration(period)
    except DeclarationError as error:
        raise UsageError(f"--for {period!r} is no time", cure="write e.g. 14d, 12h or 1d12h") from error
    except OverflowError as error:
        raise UsageError(f"--for {period} is beyond all calendars", cure="give e.g. 14d") from error
    if end <= now:
        raise UsageError(f"--for {period} is over at once", cure="give e.g. 14d")
    return end


def _part(model: str, option: str, text: str, *, named: bool) -> tuple[str, int, float]:
    found = _PART.fullmatch(text.replace(f"{model}@", "", 1))
    if found is None or (found[1] is not None) != named:
        example = "blue:7=25%" if named else "7=25%"
        raise UsageError(f"{option} {text!r} cannot be read", cure=f"write it as {example}")
    share = float(found[3].removesuffix("%")) / (100 if found[3].endswith("%") else 1)
    return found[1] or "", int(found[2]), share


def _tell(session: Session, model: str, rules: "Traffic", now: "datetime", **more: object) -> None:
    import msgspec

    session.output.document({"model": model, **msgspec.to_builtins(rules), **more})
    if not rules:
        session.output.line(f"The champion of {model} answers everything.")
        return
    rows = (
        [["canary", f"{model}@{rules.canary.number}", f"{rules.canary.share * 100:.6g}%"]] if rules.canary else []
    )
    rows += [[f"arm {arm.name}", f"{model}@{arm.number}", f"{arm.share * 100:.6g}%"] for arm in rules.arms]
    rows += [["shadow", f"{model}@{shadow.number}", f"{shadow.share * 100:.6g}%"] for shadow in rules.shadows]
    session.output.table(
        ["role", "release", "share of the traffic"], rows, title=f"Beside the champion of {model}"
    )
    if rules.arms:
        session.output.line(f"The A/B test: {end_words(rules.arms_end, model, now)}")
