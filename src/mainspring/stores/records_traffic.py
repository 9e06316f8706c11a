"""A model's rules of traffic in the records database."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.domain.history import EntryKind
from mainspring.domain.routing import Traffic
from mainspring.errors import UsageError
from mainspring.stores.records_history import append
from mainspring.stores.records_rows import rules_of
from mainspring.stores.records_schema import traffic


def traffic_of(connection: sa.Connection, model: str) -> Traffic:
    """The model's rules; none of them where nothing was set."""
    rules = connection.execute(sa.select(traffic.c.rules).where(traffic.c.model == model)).scalar_one_or_none()
    return Traffic() if rules is None else rules_of(rules)


def check_traffic(rules: Traffic, model: str, champion: int | None) -> None:
    """Raises `UsageError` for rules that this champion makes senseless."""
    if champion is None and rules:
        raise UsageError(
            f"{model} has no champion, so there is no traffic to share",
            cure=f"promote a release first: `mainspring promote {model}@N`",
            where={"model": model},
        )
    named = [("canary", rules.canary.number)] if rules.canary else []
    named += [("shadow", shadow.number) for shadow in rules.shadows]
    for role, number in named:
        if number == champion:
            raise UsageError(
                f"{model}@{number} is the champion, and cannot be its own {role}",
                cure="name another release",
                where={"release": f"{model}@{number}"},
            )


def write_traffic(
    connection: sa.Connection, told: Mapping[str, Any], generation: int, before: Traffic, after: Traffic
) -> None:
    """Replace the model's rules, and tell the history.

    Args:
        told: when, of which model, by whom and why.
        generation: of the routes, with this change.
    """
    model = told["model"]
    connection.execute(traffic.delete().where(traffic.c.model == model))
    if after:
        rules = msgspec.json.encode(after).decode()
        connection.execute(traffic.insert().values(model=model, rules=rules))
    detail = {"before": before, "after": after, "generation": generation}
    append(connection, kind=EntryKind.TRAFFIC, detail=detail, **told)
