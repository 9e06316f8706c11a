"""What a Redis server or the way to it gave up with → an error with its cure."""

from collections.abc import Mapping

from mainspring.errors import DiskFull, StoreError

# By the word that the server's answer begins with; for some of them the client has a type in its place.
_CURES: Mapping[str, str] = {
    "AuthenticationError": "mend the user and the password: redis://$REDIS_USER:$REDIS_PASSWORD@host:6379/0 in "
    "features.url",
    "NoPermissionError": "let this user use HMGET, HSET, HDEL, HLEN, UNLINK and EVAL on mainspring:*",
    "ReadOnlyError": "name the primary in features.url: this server is a replica",
    "BusyLoadingError": "wait until the server has read its data",
    "WRONGTYPE": "name another database in features.url: the keys mainspring:* of this one are somebody else's",
    "MISCONF": "see why the server cannot save to its disk",
}


def named(error: Exception, timeout: float) -> StoreError:
    """Our error for one of the client's.

    Args:
        timeout: the seconds that an answer may take.

    Examples:
        >>> print(named(ValueError("WRONGTYPE Operation against a key"), 1.0).cure.partition(":")[0])
        name another database in features.url
    """
    import redis

    reason, where = str(error), {"place": "features.url"}
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return StoreError(
            f"the Redis server of the online features did not answer within {timeout:g} s",
            cure="see what keeps it busy, and how far away it is",
            where=where,
        )
    if isinstance(error, redis.OutOfMemoryError):
        return DiskFull(
            "the Redis server of the online features has no memory left",
            cure="give it more (maxmemory), and start again; what was written before stands",
            where=where,
        )
    cure = _CURES.get(reason.partition(" ")[0]) or next(
        (_CURES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CURES), ""
    )
    return StoreError(
        f"the Redis server of the online features gave up: {reason}",
        cure=cure or "see that it runs, and that features.url names it",
        where=where,
    )
