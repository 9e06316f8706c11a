"""An online store by its URL."""

from pathlib import Path
from urllib.parse import unquote

from mainspring.domain.ports_features import OnlineStore
from mainspring.errors import SettingsError

TIMEOUT = 5.0
"""Seconds that a call may take where nobody says less."""


def open_online(url: str, *, timeout: float = TIMEOUT) -> OnlineStore:
    """Open the store that a URL names.

    Args:
        url: `sqlite:///features.db`, `redis://…` (also `rediss://` and `unix://`), or `memory://` for one that
            ends with the process.
        timeout: seconds that each call may take.

    Raises:
        SettingsError: a URL that names no such store.
        StoreError: its client is not installed, or the file cannot be opened.

    Examples:
        >>> open_online("memory://").count("creative-0123456789ab")
        0
        >>> open_online("mysql://host/db")
        Traceback (most recent call last):
        mainspring.errors.SettingsError: 'mysql://…' names no online store; write sqlite:///features.db or \
redis://host:6379/0 for features.url
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from mainspring.features.online.sqlite import SqliteStore

        return SqliteStore(Path(unquote(rest[1:])), timeout=timeout)
    if scheme in ("redis", "rediss", "unix") and separator:
        from mainspring.features.online.redis import RedisStore

        return RedisStore(url, timeout=timeout)
    if scheme == "memory" and separator:
        from mainspring.features.online.memory import MemoryStore

        return MemoryStore()
    raise SettingsError(
        f"{scheme + '://…' if separator else url!r} names no online store",
        cure="write sqlite:///features.db or redis://host:6379/0 for features.url",
        where={"key": "features.url"},
    )
