"""What an A/B test needs, before it begins."""

from dataclasses import dataclass
from math import ceil, isinf
from typing import TYPE_CHECKING, Any

from mainspring.errors import UsageError

if TYPE_CHECKING:
    from mainspring.cli.output import Output
    from mainspring.stats.power import Means, Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of `compare --power`, as they were written."""

    base: str | None
    mean: float | None
    sd: float | None
    effect: str | None
    requests: float | None
    per_day: float | None
    shares: str
    alpha: float
    chance: float


def show_power(output: "Output", wanted: Wanted) -> None:
    """Say how many requests find the effect, or which effect so many requests find.

    Raises:
        UsageError: too little or too much was given, or what makes no sense.
    """
    from mainspring.cli.plain import number

    if (wanted.effect is None) is (wanted.requests is None):
        raise UsageError(
            "a test needs the rise that is to be found, or the requests that there are",
            cure="give --effect, e.g. 10%, or --requests, e.g. 50000",
        )
    if wanted.per_day is not None and not wanted.per_day > 0:
        raise UsageError(f"--per-day {wanted.per_day:g} is not over 0", cure="give the requests of a day")
    of, now = _figure(wanted)
    ways = [_way(wanted, of, now, is_fixed=fixed) for fixed in (True, False)]
    output.document({"now": now, "alpha": wanted.alpha, "chance": wanted.chance, "ways": ways})
    if wanted.effect is not None:
        output.line(f"To find a change from {number(now)} to {number(now + ways[0]['effect'])}:")
    else:
        output.line(f"The least rise from {number(now)} that {wanted.requests:,.0f} requests show:")
    output.table(
        ["looked at", "change", "requests in all", "in each arm", "days"],
        [
            [
                "once, at the end" if way["looks"] == "once" else "at any time, as by compare --arms",
                "none" if way["effect"] is None else f"{way['effect']:+.4g}",
                "–" if way["requests"] is None else f"{way['requests']:,}",
                ", ".join(f"{rows:,}" for rows in way["arms"]) or "–",
                "–" if way["days"] is None else number(way["days"], 1),
            ]
            for way in ways
        ],
        right=("change", "requests in all", "in each arm", "days"),
    )
    arms = "" if len(ways[0]["shares"]) == 2 else ", each arm against the first, all of them together"
    output.line(
        f"With a chance of {wanted.chance:.0%} to find it, and of {wanted.alpha:.0%} to find one where there is "
        f"none{arms}."
    )
    output.line("Who looks at any time may end sooner, where the change is greater.")
    output.line("Requests of one key hang together: where a key has many, count keys in place of requests.")


def _way(wanted: Wanted, of: "Means | Shares", now: float, *, is_fixed: bool) -> dict[str, Any]:
    """What one way of looking needs, or finds; `None` stands for what no test can do."""
    from mainspring.stats.power import Plan, least_effect, rows_needed

    try:
        plan = Plan(alpha=wanted.alpha, power=wanted.chance, shares=_shares(wanted.shares), is_fixed=is_fixed)
        if wanted.effect is not None:
            effect = _effect(wanted.effect, now)
            rows = rows_needed(of, effect, plan)
        else:
            rows = float(wanted.requests or 0)
            effect = least_effect(of, rows, plan)
    except ValueError as error:
        raise UsageError(f"{error}", cure="see mainspring compare --help") from None
    is_possible = not isinf(rows)
    arms = [ceil(rows * share) for share in plan.shares] if is_possible else []
    in_all = sum(arms) if sum(plan.shares) > 1 - 1e-9 else ceil(rows) if is_possible else None
    return {
        "looks": "once" if is_fixed else "any time",
        "effect": None if isinf(effect) else effect,
        "requests": in_all if is_possible else None,
        "arms": arms,
        "shares": plan.shares,
        "days": rows / wanted.per_day if wanted.per_day and is_possible else None,
    }


def _figure(wanted: Wanted) -> "tuple[Means | Shares, float]":
    """What is to be raised, and how high it is now."""
    from mainspring.stats.power import Means, Shares

    if (wanted.base is None) is (wanted.sd is None):
        raise UsageError(
            "a test needs to know what is to be raised",
            cure="give --base of a share, e.g. 5%, or --sd (and --mean) of a number",
        )
    if wanted.base is not None:
        if wanted.mean is not None:
            raise UsageError("--mean goes with --sd, not with --base", cure="leave one of them out")
        share = _part("--base", wanted.base)
        if not 0 < share < 1:
            raise UsageError(f"--base {wanted.base} is no share between 0 and 1", cure="write e.g. 5% or 0.05")
        return Shares(share=share), share
    sd = wanted.sd or 0.0
    if not 0 < sd < float("inf"):
        raise UsageError(f"--sd {sd:g} is not over 0", cure="give the standard deviation of a request's figure")
    mean = wanted.mean or 0.0
    if wanted.effect is not None and wanted.effect.endswith("%") and not mean:
        raise UsageError(f"--effect {wanted.effect} is a part of the mean", cure="give --mean as well")
    return Means(sd=sd, mean=mean), mean


def _effect(text: str, now: float) -> float:
    """As it stands, or as a part of what is there now.

    Examples:
        >>> _effect("0.01", 0.05), round(_effect("10%", 0.05), 6)
        (0.01, 0.005)
    """
    return _part("--effect", text) * (now if text.endswith("%") else 1)


def _shares(text: str) -> tuple[float, ...]:
    """Each arm's.

    Examples:
        >>> _shares("90%,10%"), _shares("1/3,1/3,1/3")[0]
        ((0.9, 0.1), 0.3333333333333333)
    """
    return tuple(_part("--shares", part.strip()) for part in text.split(","))


def _part(option: str, text: str) -> float:
    """A number, a percentage or a fraction."""
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        if "/" in text:
            upper, lower = text.split("/")
            return float(upper) / float(lower)
        return float(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} {text!r} is no number", cure="write e.g. 5%, 0.05 or 1/3") from None
