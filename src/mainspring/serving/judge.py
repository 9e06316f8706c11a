"""Decides which release each model is to be served from: the promoted one if it holds, else the last that did.

A challenger is judged as a champion is: one that does not hold gets no traffic, and the champion answers instead.
"""

import logging
from pathlib import Path

from mainspring.clock import Clock
from mainspring.domain.release import Manifest
from mainspring.domain.routing import Route, Routes, Traffic
from mainspring.errors import MainspringError
from mainspring.release.files import check_whole
from mainspring.release.signed_manifest import read_manifest
from mainspring.release.signing import trusted_keys
from mainspring.serving.table import Refusal, Rules, Table, Target

_LOG = logging.getLogger("mainspring.gateway")
_AGAIN = 5.0  # seconds after which a refused release is looked at again: it may have been restored


class Judge:
    """Turns routes into a table that workers can rely on.

    Args:
        releases: the folder under which the routes' places lie.
        trusted: the folder of the public keys.
    """

    def __init__(self, releases: Path, trusted: Path, clock: Clock) -> None:
        self._releases = releases
        self._trusted = trusted
        self._clock = clock
        self._good: dict[str, Target] = {}
        self._passed: dict[Target, Manifest] = {}
        self._refused: dict[Target, tuple[Refusal, float]] = {}
        self._generation = -1

    def remember(self, table: Table | None) -> None:
        """Take the champions of an earlier table as those to fall back on, as far as they still hold."""
        for target in table.champions if table else ():
            if self._holds(target):
                self._good[target.model] = target

    def table(self, routes: Routes) -> Table | None:
        """The table for these routes; `None` when nothing can have changed since the last call."""
        now = self._clock.monotonic()
        again = [target for target, (_, at) in self._refused.items() if now - at > _AGAIN]
        if routes.generation == self._generation and not again:
            return None
        for target in again:
            del self._refused[target]
        champions, refused, named, rules = [], [], set(), {}
        for route in routes.routes:
            target = self._target(route, route.champion)
            named.add(target)
            if self._holds(target):
                self._good[route.model] = target
            else:
                refused.append(self._refused[target][0])
            if route.model in self._good:
                champions.append(self._good[route.model])
            if route.traffic:
                others = [self._target(route, n) for n in route.traffic.numbers if n != route.champion]
                named.update(others)
                held = [other for other in others if self._holds(other)]
                refused += [self._refused[other][0] for other in others if other not in held]
                answering = [target for target in champions if target.model == route.model]
                rules[route.model] = self._rules(route.traffic, held, answering)
        named.update(champions)
        self._passed = {target: manifest for target, manifest in self._passed.items() if target in named}
        self._refused = {target: seen for target, seen in self._refused.items() if target in named}
        self._generation = routes.generation
        known = tuple(
            self._target(route, number)
            for route in routes.routes
            for number in sorted(route.digests)
            if number != route.champion and number in route.places
        )
        challengers = {route.model: route.challenger for route in routes.routes if route.challenger is not None}
        return Table(routes.generation, tuple(champions), known, tuple(refused), challengers, rules)

    def _target(self, route: Route, number: int) -> Target:
        folder = self._releases / route.places.get(number, "")
        return Target(route.model, number, str(folder), route.digests.get(number, ""))

    def _holds(self, target: Target) -> bool:
        if target in self._passed:
            return True
        if target in self._refused:
            return False
        try:
            self._passed[target] = self._checked(target)
        except (MainspringError, OSError) as error:
            reason = str(error) if isinstance(error, MainspringError) else f"it cannot be read: {error.strerror}"
            _LOG.error("%s is refused, and what answered before goes on: %s", target.ref, reason)
            self._refused[target] = (Refusal(target.ref, reason), self._clock.monotonic())
            return False
        return True

    def _rules(self, traffic: Traffic, held: list[Target], champion: list[Target]) -> Rules:
        shadows = {shadow.number for shadow in traffic.shadows}
        manifests = [self._passed[target] for target in (*champion, *held) if target in self._passed]
        names = {field.name for manifest in manifests for field in manifest.inputs}
        names |= {name for manifest in manifests for name in manifest.ignored}
        return Rules(
            traffic,
            challengers=tuple(target for target in held if target.number in traffic.answering),
            shadows=tuple(target for target in held if target.number in shadows),
            fields=tuple(sorted(names)),
        )

    def _checked(self, target: Target) -> Manifest:
        """Digest, signature and files; whether it answers rightly is for the workers to see, who load it."""
        folder = Path(target.folder)
        manifest = read_manifest(folder, trusted_keys(self._trusted), expected_digest=target.digest)
        check_whole(folder, manifest)
        return manifest
