"""Chooses the release that answers a request of a model whose traffic is shared."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainspring.domain.prediction_log import Role
from mainspring.domain.routing import Shadowing, Traffic, assign
from mainspring.serving.loaded import Loaded

ROUTING_KEY = b"x-routing-key"
_CHAMPION = Role.CHAMPION


class Router:
    """The rules of one model, with the releases that they name.

    Args:
        traffic: the rules, whole: what is not loaded moves nobody else's share, the champion answers in its place.
        challengers: the loaded releases that answer, by number.
        shadows: the numbers of the shadows that hold.

    Attributes:
        shadowing: which releases see a request beside the one that answers it.
    """

    def __init__(
        self, model: str, traffic: Traffic, challengers: Mapping[int, Loaded], shadows: Sequence[int]
    ) -> None:
        self.challengers = dict(challengers)
        self._model = model
        self._traffic = traffic
        self._is_shared = traffic.canary is not None or bool(traffic.arms)
        self.shadowing = Shadowing(traffic, model, shadows)

    def choose(self, champion: Loaded, key: bytes) -> tuple[Loaded, Role, str | None]:
        """The release that answers for the key, as what, and as which arm."""
        if not self._is_shared:
            return champion, _CHAMPION, None
        chosen = assign(self._traffic, champion.target.number, key, salt=self._model)
        if chosen.number == champion.target.number:
            return champion, chosen.role, chosen.arm
        challenger = self.challengers.get(chosen.number)
        if challenger is None:
            return champion, _CHAMPION, None
        return challenger, chosen.role, chosen.arm


def routing_key(headers: Mapping[bytes, bytes], event: object, request_id: str) -> bytes:
    """What a request is routed by: its `x-routing-key`, else its first row's event key, else its own id.

    Args:
        event: as `event_of` gives it.

    Examples:
        >>> routing_key({}, 17, "order-1"), routing_key({}, None, "order-1")
        (b'17', b'order-1')
    """
    given = headers.get(ROUTING_KEY)
    if given:
        return given
    if isinstance(event, str):
        if event:
            return event.encode(errors="surrogatepass")
    elif event is not None:
        return msgspec.json.encode(event)  # a number reads as people write it
    return request_id.encode()


def event_of(rows: Sequence[Any], field: str | None) -> object:
    """The first row's event key, `None` where it has none.

    Args:
        field: the key's name, where the model has one.
    """
    row = rows[0]
    return row.get(field) if field is not None and isinstance(row, Mapping) else None
