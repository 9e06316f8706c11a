"""What the verbs that change a rollout say of it."""

from typing import TYPE_CHECKING, Any

from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.rollout_state import RolloutState


def rollout_document(state: "RolloutState") -> dict[str, Any]:
    """The rollout as one JSON object."""
    import msgspec

    from mainspring.loop.rollout.rollouts import place_of

    plain: dict[str, Any] = msgspec.to_builtins(state)
    for inner in ("progress", "settled", "ending", "looked_at"):
        plain.pop(inner)
    plain["challenger"] = f"{state.model}@{state.challenger}"
    plain["before"] = f"{state.model}@{state.before}"
    plain["place"] = str(state.end) if state.end is not None else place_of(state)
    return plain


def tell_rollout(session: Session, state: "RolloutState") -> None:
    """One line for people."""
    plain = rollout_document(state)
    session.output.line(f"{plain['challenger']} ({plain['place']}): {state.note}")
