"""Keys: how one is made, how a secret is proved, and the file by which the gateway's parent tells its workers.

A secret reads `ms_<id>_<random>`: the id finds the key, and 256 random bits prove it. Of the secret only its
argon2id digest is kept (RFC 9106; 7 MiB, 5 passes, 1 lane, which OWASP's Password Storage Cheat Sheet counts as
equal to its 19 MiB and 2 passes, and which fits beside a small worker).
"""

import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from mainspring.domain.access import ApiKey, Role
from mainspring.errors import StoreError, UsageError
from mainspring.stores.atomic import write_atomic

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECRET = re.compile(rb"ms_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


def make_key(
    name: str, roles: Iterable[Role], *, now: datetime, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else.

    Raises:
        UsageError: a name that is none, no role, or an end in the past.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a key", cure="use up to 64 letters, digits, dots, dashes and underscores"
        )
    wanted = tuple(role for role in Role if role in set(roles))
    if not wanted:
        raise UsageError("a key needs a role", cure=f"give --role with one of: {', '.join(Role)}")
    if expires_at is not None and expires_at <= now:
        raise UsageError("the key would have expired before it was made", cure="give --expires e.g. as 90d")
    key_id = secrets.token_hex(6)
    secret = f"ms_{key_id}_{secrets.token_urlsafe(32)}"
    return ApiKey(key_id, name, _digest(secret.encode()), wanted, now, expires_at), secret


def _digest(secret: bytes) -> str:
    try:
        hashing = Argon2id(salt=secrets.token_bytes(16), length=32, iterations=5, lanes=1, memory_cost=7_168)
    except UnsupportedAlgorithm as error:
        raise UsageError(
            "the installed `cryptography` has no argon2id", cure="install its wheel: pip install -U cryptography"
        ) from error
    return hashing.derive_phc_encoded(secret)


def key_id_of(secret: bytes) -> str | None:
    """The id in a secret, or `None` where these bytes cannot be one.

    Examples:
        >>> key_id_of(b"ms_0123456789ab_" + b"x" * 43)
        '0123456789ab'
        >>> key_id_of(b"hunter2")
    """
    found = _SECRET.fullmatch(secret)
    return found[1].decode() if found else None


def proves(secret: bytes, digest: str) -> bool:
    """Whether the secret is the one of this digest; takes 20 ms and 7 MiB, and leaves other threads running."""
    try:
        Argon2id.verify_phc_encoded(secret, digest)
    except (InvalidKey, UnsupportedAlgorithm, ValueError):  # the last two: a digest that is none of ours
        return False
    return True


class KnownKey(msgspec.Struct, frozen=True):
    """A live key, as workers need it.

    Attributes:
        slot: its place among the rates; stays while the gateway runs.
        until: when it ends, seconds since 1970.
    """

    id: str
    name: str
    digest: str
    roles: tuple[Role, ...]
    slot: int
    until: float | None = None


class KnownKeys(msgspec.Struct, frozen=True):
    """All live keys.

    Attributes:
        needed: whether requests need one on loopback too. So it is from the first key on: that all of them were
            revoked or expired must not open the gateway.
    """

    needed: bool
    keys: tuple[KnownKey, ...] = ()


def known_keys(keys: Iterable[ApiKey]) -> KnownKeys:
    """What workers need to know of these keys, which come newest first."""
    oldest_first = list(keys)[::-1]
    return KnownKeys(
        bool(oldest_first),
        tuple(
            KnownKey(
                key.id,
                key.name,
                key.digest,
                key.roles,
                slot,
                None if key.expires_at is None else key.expires_at.timestamp(),
            )
            for slot, key in enumerate(oldest_first, 1)
            if key.revoked_at is None
        ),
    )


def write_keys(path: Path, keys: KnownKeys) -> None:
    """Replace the file in one step; only its owner may read it."""
    write_atomic(path, msgspec.json.encode(keys), role="the gateway's keys", mode=0o600)


def read_keys(path: Path) -> KnownKeys:
    """The keys; where no file was written yet, none, and one is needed.

    Raises:
        StoreError: the file is none of ours.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=KnownKeys)
    except FileNotFoundError:
        return KnownKeys(needed=True)
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError("the gateway's keys cannot be read", cure="restart the gateway") from error
