"""Which release answers which request."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """Of one model: the release that answers, and the one that waits to be proved.

    Attributes:
        digests: SHA-256 of the manifest of each release named here (and of those that may be pinned),
            by number, so that a gateway can tell a changed release from the one that was promoted.
        places: where each of these lies, relative to the workspace's releases.
    """

    model: str
    champion: int
    challenger: int | None = None
    digests: dict[int, str] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes at one generation; a higher generation replaces a lower one as a whole."""

    generation: int
    routes: tuple[Route, ...] = ()

    def of(self, model: str) -> Route | None:
        return next((route for route in self.routes if route.model == model), None)
