"""Which release answers which request.

A request has a routing key: what it names itself, else its first row's event key, else its own id. A hash of the
key gives it a place in [0, 1), always the same for the same model, and shares of traffic are stretches of that
line: the canary's grows from 0 upwards and the arms' lie at the other end, the first one outermost. So whoever had
the canary keeps it while its share grows, and no arm moves when another changes after it.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b

from mainspring.domain.prediction_log import Role
from mainspring.errors import UsageError

_ARM = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_MOST_ARMS, _MOST_SHADOWS = 16, 16
_PLACES = 1 << 53  # that a float can tell apart in [0, 1)
_WHOLE = 1 + 1e-9  # three thirds, as decimals, may add up to a little more than one


@dataclass(frozen=True, slots=True)
class Share:
    """A release and its part of the traffic.

    Attributes:
        share: over 0, at most 1.

    Raises:
        UsageError: a number or a share that makes no sense.
    """

    number: int
    share: float

    def __post_init__(self) -> None:
        _check_number(self.number)
        _check_share(self.share)


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the fixed groups of an A/B test; its release may be the champion itself, as a group of control.

    Raises:
        UsageError: a name, a number or a share that makes no sense.
    """

    name: str
    number: int
    share: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _ARM.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is no name of an arm",
                cure="use up to 31 lower-case letters, digits, - and _, with a letter first",
            )
        _check_number(self.number)
        _check_share(self.share)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What of a model's traffic goes to other releases than its champion, which answers all the rest.

    Attributes:
        canary: answers its share of the keys.
        arms: each answers its own share of the keys.
        shadows: each sees its share of the keys beside the one that answers, and is not heard.
        arms_end: when the arms' requests are the champion's again, in UTC; `None` where somebody has to say so.

    Raises:
        UsageError: more than the whole, a release in two places, or an end of no arms.

    Examples:
        >>> Traffic(canary=Share(4, 0.1), shadows=(Share(5, 1.0),)).numbers
        (4, 5)
        >>> Traffic(canary=Share(4, 0.6), arms=(Arm("a", 5, 0.5),))
        Traceback (most recent call last):
        mainspring.errors.UsageError: the canary and the arms take 110% of the traffic; give them 100% at most
    """

    canary: Share | None = None
    arms: tuple[Arm, ...] = ()
    shadows: tuple[Share, ...] = ()
    arms_end: datetime | None = None

    def __post_init__(self) -> None:
        for what, given, most in (("arms", self.arms, _MOST_ARMS), ("shadows", self.shadows, _MOST_SHADOWS)):
            if len(given) > most:
                raise UsageError(f"{len(given)} {what} are too many", cure=f"give at most {most}")
        if self.arms_end is not None and not self.arms:
            raise UsageError("an end is given of arms that are not there", cure="give the arms too")
        if self.arms_end is not None and self.arms_end.utcoffset() != timedelta(0):
            raise UsageError(f"the end {self.arms_end} of the arms is no time in UTC", cure="give it in UTC")
        taken = math.fsum([arm.share for arm in self.arms] + ([self.canary.share] if self.canary else []))
        if taken > _WHOLE:
            raise UsageError(
                f"the canary and the arms take {taken * 100:.6g}% of the traffic", cure="give them 100% at most"
            )
        _check_once("arm", [arm.name for arm in self.arms])
        answering = [arm.number for arm in self.arms] + ([self.canary.number] if self.canary else [])
        _check_once("release", answering)
        _check_once("shadow", [shadow.number for shadow in self.shadows])

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.canary or self.arms or self.shadows)

    @property
    def numbers(self) -> tuple[int, ...]:
        """All releases named, in ascending order."""
        found = {arm.number for arm in self.arms} | {shadow.number for shadow in self.shadows}
        if self.canary:
            found.add(self.canary.number)
        return tuple(sorted(found))

    @property
    def answering(self) -> tuple[int, ...]:
        """The releases that answer requests, in ascending order."""
        found = {arm.number for arm in self.arms}
        if self.canary:
            found.add(self.canary.number)
        return tuple(sorted(found))

    def without_arms(self) -> "Traffic":
        """What is left of the rules when the A/B test is over."""
        return replace(self, arms=(), arms_end=None)

    def under(self, champion: int) -> "Traffic":
        """What is left of the rules when this release becomes the champion.

        It is no canary and no shadow of itself any more, and an A/B test that has it as an arm is decided.

        Examples:
            >>> Traffic(canary=Share(4, 0.1), shadows=(Share(5, 1.0),)).under(champion=4)
            Traffic(canary=None, arms=(), shadows=(Share(number=5, share=1.0),), arms_end=None)
        """
        is_decided = any(arm.number == champion for arm in self.arms)
        return replace(
            self.without_arms() if is_decided else self,
            canary=None if self.canary and self.canary.number == champion else self.canary,
            shadows=tuple(shadow for shadow in self.shadows if shadow.number != champion),
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """The release that a request falls to, and as what it answers."""

    number: int
    role: Role
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Of one model: the release that answers, and the one that waits to be proved.

    Attributes:
        digests: SHA-256 of the manifest of each release named here (and of those that may be pinned),
            by number, so that a gateway can tell a changed release from the one that was promoted.
        places: where each of these lies, relative to the workspace's releases.
        traffic: what goes to others than the champion.
    """

    model: str
    champion: int
    challenger: int | None = None
    digests: dict[int, str] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes at one generation; a higher generation replaces a lower one as a whole."""

    generation: int
    routes: tuple[Route, ...] = ()

    def of(self, model: str) -> Route | None:
        return next((route for route in self.routes if route.model == model), None)


class Line:
    """Where keys lie in [0, 1): 53 bits of BLAKE2b, the same on every machine and for ever.

    Args:
        salt: which line it is; the places of a key on two lines tell nothing of each other.

    Examples:
        >>> Line("adclick").place_of(b"user 17") == Line("adclick").place_of(b"user 17")
        True
    """

    __slots__ = ("_start",)

    def __init__(self, salt: str) -> None:
        named = salt.encode()
        # The salt's length goes first, so that no two pairs of salt and key are the same bytes.
        self._start = blake2b(b"%d:%s" % (len(named), named), digest_size=8)

    def digest_of(self, key: bytes) -> bytes:
        """Eight bytes that lie in the order of the places; to be compared with `end_of`."""
        hashed = self._start.copy()
        hashed.update(key)
        return hashed.digest()

    def place_of(self, key: bytes) -> float:
        return (int.from_bytes(self.digest_of(key)) >> 11) / _PLACES

    @staticmethod
    def end_of(share: float) -> bytes:
        """What the digests of just those places that lie under the share come before.

        Examples:
            >>> line = Line("adclick")
            >>> (line.digest_of(b"17") < Line.end_of(0.3)) == (line.place_of(b"17") < 0.3)
            True
        """
        return (math.ceil(share * _PLACES) << 11).to_bytes(8) if share < 1 else b"\xff" * 9


def assign(traffic: Traffic, champion: int, key: bytes, *, salt: str) -> Assignment:
    """The release that answers for a key.

    Args:
        salt: the model's name, so that each model draws its own lots.

    Examples:
        >>> assign(Traffic(), 3, b"user 17", salt="adclick").number
        3
        >>> assign(Traffic(canary=Share(4, 1.0)), 3, b"user 17", salt="adclick").role
        <Role.CANARY: 'canary'>
    """
    canary = traffic.canary
    if canary is None and not traffic.arms:
        return Assignment(champion, Role.CHAMPION)
    place = Line(salt).place_of(key)
    if canary is not None and place < canary.share:
        return Assignment(canary.number, Role.CANARY)
    end = 1.0
    for arm in traffic.arms:
        begin = end - arm.share
        if begin <= place < end:
            return Assignment(arm.number, Role.ARM, arm.name)
        end = begin
    return Assignment(champion, Role.CHAMPION)


class Shadowing:
    """Which releases see a request beside the one that answers it.

    All shadows of a model draw from one lot: what one of them sees, every one with a larger share sees too, so
    that they can be compared on the same requests.

    Args:
        model: its name, so that each model draws its own lots.
        held: the numbers of the shadows that can see anything; all of them where not given.

    Examples:
        >>> shadowing = Shadowing(Traffic(shadows=(Share(4, 1.0), Share(5, 1.0))), "adclick")
        >>> shadowing.of(b"user 17", but=5)
        (4,)
    """

    __slots__ = ("_digest_of", "_end", "_ends")

    def __init__(self, traffic: Traffic, model: str, held: Collection[int] | None = None) -> None:
        self._digest_of = Line(f"{model}/shadow").digest_of
        shadows = [shadow for shadow in traffic.shadows if held is None or shadow.number in held]
        self._ends = [(shadow.number, Line.end_of(shadow.share)) for shadow in shadows]
        self._end = max((end for _, end in self._ends), default=b"")

    def of(self, key: bytes, but: int | None = None) -> tuple[int, ...]:
        """The numbers of those that see the key's requests.

        Args:
            but: the one that answers them itself.
        """
        digest = self._digest_of(key)
        if digest >= self._end:  # as nearly all are while a shadow has a small share
            return ()
        return tuple([number for number, end in self._ends if digest < end and number != but])


def _check_number(number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number < 10**9:
        raise UsageError(f"{number!r} is no release number", cure="give the number of a release, e.g. 7")


def _check_share(share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise UsageError(
            f"{share!r} is no share of traffic", cure="give a number over 0 and at most 1, e.g. 0.1 for 10%"
        )


def _check_once(what: str, given: Sequence[object]) -> None:
    for one in given:
        if given.count(one) > 1:
            raise UsageError(f"the {what} {one} is given twice", cure=f"name each {what} once")
