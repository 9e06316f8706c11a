"""Who may do what at the gateway: roles, and the keys that carry them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a key allows."""

    PREDICT = "predict"
    FEEDBACK = "feedback"
    READ = "read"  # metrics, and what is refused and why
    OPERATE = "operate"  # name a release instead of taking the routed one; includes read
    ADMIN = "admin"  # everything


_IMPLIED: dict[Role, frozenset[Role]] = {
    Role.OPERATE: frozenset({Role.READ}),
    Role.ADMIN: frozenset(Role),
}


def allowed(roles: Iterable[Role]) -> frozenset[Role]:
    """The roles and all that they include.

    Examples:
        >>> sorted(allowed([Role.OPERATE]))
        [<Role.OPERATE: 'operate'>, <Role.READ: 'read'>]
        >>> allowed([Role.ADMIN]) == frozenset(Role)
        True
    """
    found = frozenset(roles)
    return found.union(*(_IMPLIED.get(role, frozenset()) for role in found))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: never the secret, only what proves that somebody has it.

    Attributes:
        id: the public part of the secret, by which the key is found.
        name: whose or what it is for; one live key of a name.
        digest: argon2id of the secret, as a PHC string.
        revoked_at: when it was taken back; the record stays, so that what it did can be told.
    """

    id: str
    name: str
    digest: str
    roles: tuple[Role, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """`live`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "live"
