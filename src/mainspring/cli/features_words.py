"""How far a view is and who uses it, for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.domain.feature_view import FeatureView
    from mainspring.domain.materialised import Materialised
    from mainspring.workspace import Workspace


@dataclass(frozen=True, slots=True)
class User:
    """A release that takes features of a view.

    Attributes:
        release: its reference, and the aliases that it has.
        id: of the view's definition.
        features: which it takes.
    """

    release: str
    id: str
    features: tuple[str, ...]


def users_of(workspace: "Workspace") -> Mapping[str, Sequence[User]]:
    """By view the releases that use it, the newest first."""
    found: dict[str, list[User]] = {}
    for record in workspace.records.releases():
        for view in workspace.catalogue.manifest(record).views:
            aliases = f" ({', '.join(record.aliases)})" if record.aliases else ""
            found.setdefault(view.view, []).append(User(f"{record.ref}{aliases}", view.id, tuple(view.features)))
    return found


def far(found: "Materialised | None", now: datetime) -> str:
    """How far a view is in the online store."""
    from mainspring.domain.materialised import MaterialisationState

    if found is None:
        return "not there; fill it: mainspring features materialize"
    age = found.age(now)
    words = "being filled for the first time" if age is None else f"{lasting(age.total_seconds())} old"
    if found.is_stale(now) and age is not None:
        words += f", more than {found.freshness}"
    if found.state is MaterialisationState.FAILED:
        words += "; the newest attempt failed"
    return words


def lasting(seconds: float) -> str:
    """A time as people say it.

    Examples:
        >>> lasting(0.4), lasting(90), lasting(7_300), lasting(200_000)
        ('0 s', '1 min', '2 h', '2 d')
    """
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def lineage_lines(view: "FeatureView", over: Sequence[str], users: Sequence[User]) -> list[str]:
    """From the source to the releases, a step a line."""
    from mainspring.data.snapshots import describe

    below = [view]
    while below[-1].base is not below[-1]:
        below.append(below[-1].source)  # type: ignore[arg-type]
    steps = [describe(view.root), *(one.name for one in reversed(below))]
    lines = ["Lineage:", *(f"  {'  ' * place}→ {step}" for place, step in enumerate(steps))]
    indent = "  " * len(steps)
    lines += [f"  {indent}→ the view {name}" for name in over]
    lines += [f"  {indent}→ {user.release} by {user.id}: {', '.join(user.features)}" for user in users]
    return lines if over or users else [*lines, f"  {indent}→ no release yet"]
