"""What was in production at a time, for the verbs that tell it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.ports import Records


def tell_production(session: Session, records: "Records", models: Sequence[str], moment: datetime) -> None:
    """Say what answered for each of these models at the moment, since when, and who had decided it and why."""
    import msgspec

    from mainspring.cli.plain import when
    from mainspring.cli.traffic_words import traffic_words

    found = {model: records.route_at(model, moment) for model in models}
    session.output.document({"at": moment, "models": {name: found[name] for name in models if found[name]}})
    session.output.line(f"At {when(moment)}:", style="bold")
    if not any(found.values()):
        session.output.line("  nothing had been decided yet")
    for model, one in found.items():
        if one is None:
            continue
        champion = "nothing" if one.champion is None else f"{model}@{one.champion}"
        challenger = "" if one.challenger is None else f"; {model}@{one.challenger} was challenger"
        session.output.line(f"  {champion} answered for {model}{challenger}")
        if one.traffic:
            session.output.line(f"    beside it: {traffic_words(model, msgspec.to_builtins(one.traffic))}")
        session.output.line(
            f"    since {when(one.entry.at)}, by {one.entry.actor}: {one.entry.reason} (entry {one.entry.id})"
        )


def all_models(records: "Records") -> list[str]:
    """The models that ever had a release."""
    return sorted({release.model for release in records.releases()})
