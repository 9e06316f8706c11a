"""What the one who asks may do."""

from dataclasses import dataclass

from mainspring.domain.access import Role


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may do, and on whose account it is counted.

    Attributes:
        name: of the key; empty where there is none.
        roles: with all that they include.
        slot: the account's place among the rates.
        until: when it ends, seconds since 1970; `None` for never.
    """

    name: str
    roles: frozenset[Role]
    slot: int = 0
    until: float | None = None


EVERYBODY = Grant("", frozenset(Role))
NOBODY = Grant("", frozenset())
