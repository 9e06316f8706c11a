"""Keys: made once, proved once, and wrong ones cost little."""

import asyncio
import contextlib
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.domain.access import ApiKey, Role
from mainspring.errors import StoreError, TooManyRequests, UsageError
from mainspring.serving.keyring import KeyRing
from mainspring.serving.keys import (
    KnownKeys,
    key_id_of,
    known_keys,
    make_key,
    proves,
    read_keys,
    write_keys,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Proofs:
    """Proves as the real one does, and counts; `now` is a clock by hand."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 100.0
        self.threads = ThreadPoolExecutor(1)

    def ring(self, *keys: ApiKey) -> KeyRing:
        def prove(secret: bytes, digest: str) -> bool:
            self.count += 1
            return digest == f"digest of {secret.decode()}"

        ring = KeyRing(self.threads, lambda: self.now, prove)
        ring.replace(known_keys(keys))
        return ring


@pytest.fixture
def proofs():
    found = Proofs()
    yield found
    found.threads.shutdown()


def a_key(number: int = 0, name: str = "web") -> tuple[ApiKey, bytes]:
    secret = f"ms_{number:012x}_{'x' * 43}"
    return ApiKey(f"{number:012x}", name, f"digest of {secret}", (Role.PREDICT,), NOW), secret.encode()


def wrong(number: int, attempt: int) -> bytes:
    return f"ms_{number:012x}_{attempt:043d}".encode()


def test_a_secret_proves_itself_and_nothing_else() -> None:
    key, secret = make_key("web", [Role.READ, Role.PREDICT, Role.READ], now=NOW)
    other, other_secret = make_key("web", [Role.READ], now=NOW)
    assert key_id_of(secret.encode()) == key.id
    assert key.roles == (Role.PREDICT, Role.READ)
    assert key.digest.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert secret.removeprefix(f"ms_{key.id}_") not in repr(key)
    assert proves(secret.encode(), key.digest)
    assert not proves(other_secret.encode(), key.digest)
    assert not proves(secret[:-1].encode(), key.digest)
    for digest in ("", "nonsense", "$argon2id$", key.digest[:-3], other.digest, "$argon2id$v=19$m=9999999999$x$y"):
        assert not proves(secret.encode(), digest)


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "-x", "é", "x" * 65, "a\nb", "a\x00"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="no name"):
        make_key(name, [Role.READ], now=NOW)


def test_a_key_needs_a_role_and_a_future() -> None:
    with pytest.raises(UsageError, match="needs a role"):
        make_key("web", [], now=NOW)
    with pytest.raises(UsageError, match="expired before"):
        make_key("web", [Role.READ], now=NOW, expires_at=NOW)


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"ms_",
        b"ms__",
        b"ms_0_x",
        b"ms_" + b"0" * 12 + b"_",
        b"ms_" + b"g" * 12 + b"_" + b"x" * 43,
        b"\xff" * 60,
    ],
)
def test_bytes_that_are_no_secret(secret: bytes) -> None:
    assert key_id_of(secret) is None


def test_the_file_of_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert read_keys(path) == KnownKeys(needed=True), "not written yet: nobody is let in"
    (first, _), (second, _), (third, _) = a_key(1, "a"), a_key(2, "b"), a_key(3, "c")
    revoked = replace(second, revoked_at=NOW)
    ending = replace(third, expires_at=NOW + timedelta(days=1))
    known = known_keys([ending, revoked, first])  # newest first
    assert [(key.name, key.slot, key.until) for key in known.keys] == [
        ("a", 1, None),
        ("c", 3, (NOW + timedelta(days=1)).timestamp()),
    ]
    write_keys(path, known)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == known
    assert known_keys([]) == KnownKeys(needed=False)
    assert known_keys([revoked]) == KnownKeys(needed=True), "a revoked key leaves the door shut"
    for content in (b"", b"{}", b"[1]", b'{"needed":1}', b'{"needed":true,"keys":[{}]}', b"\xff", b"[" * 5000):
        path.write_bytes(content)
        with pytest.raises(StoreError, match="keys cannot be read"):
            read_keys(path)


def test_a_secret_is_proved_once(proofs: Proofs) -> None:
    key, secret = a_key()
    ring = proofs.ring(key)

    async def ask() -> None:
        digest = hashlib.sha256(secret).digest()
        assert ring.proved(digest) is None
        grants = await asyncio.gather(*(ring.prove(secret) for _ in range(20)))
        assert [grant.name for grant in grants if grant] == ["web"] * 20
        assert ring.proved(digest) == grants[0]
        other, _ = a_key(1, "other")
        ring.replace(known_keys([other, key]))
        assert ring.proved(digest) is not None, "other keys come and go; what was proved stays"
        ring.replace(known_keys([other, replace(key, roles=(Role.ADMIN,))]))
        assert ring.proved(digest) is None
        again = await ring.prove(secret)
        assert again is not None
        assert again.roles == frozenset(Role)
        ring.replace(known_keys([replace(key, revoked_at=NOW)]))
        assert ring.proved(digest) is None
        assert await ring.prove(secret) is None

    asyncio.run(ask())
    assert proofs.count == 2


def test_a_key_revoked_while_it_is_proved_lets_nobody_in(proofs: Proofs) -> None:
    key, secret = a_key()
    ring = proofs.ring(key)

    async def ask() -> object:
        task = asyncio.create_task(ring.prove(secret))
        await asyncio.sleep(0)
        ring.replace(known_keys([replace(key, revoked_at=NOW)]))
        return await task

    assert asyncio.run(ask()) is None


def test_wrong_secrets_cost_little(proofs: Proofs) -> None:
    key, secret = a_key()
    ring = proofs.ring(key)

    async def ask() -> None:
        for attempt in range(1_000):  # names no key, or is no secret: costs nothing
            assert await ring.prove(wrong(7, attempt)) is None
            assert await ring.prove(b"%d" % attempt) is None
        assert proofs.count == 0
        for _ in range(1_000):  # the same wrong one again
            assert await ring.prove(wrong(0, 0)) is None
        assert proofs.count == 1
        refused = 0
        for attempt in range(1, 1_000):
            try:
                assert await ring.prove(wrong(0, attempt)) is None
            except TooManyRequests:
                refused += 1
        assert proofs.count == 5
        assert refused == 995
        with pytest.raises(TooManyRequests):  # the right one, not seen before, has to wait
            await ring.prove(secret)
        proofs.now += 11
        assert await ring.prove(secret) is not None
        for attempt in range(2_000, 3_000):
            with contextlib.suppress(TooManyRequests):
                await ring.prove(wrong(0, attempt))
        assert await ring.prove(secret) is not None, "what has been proved does not wait"

    asyncio.run(ask())


def test_many_keys_are_proved_after_a_restart(proofs: Proofs) -> None:
    made = [a_key(number, f"k{number}") for number in range(100)]
    ring = proofs.ring(*(key for key, _ in made))

    async def ask() -> list[object]:
        return await asyncio.gather(*(ring.prove(secret) for _, secret in made))

    assert all(asyncio.run(ask()))


def test_wrong_secrets_of_many_keys_are_limited_together(proofs: Proofs) -> None:
    made = [a_key(number, f"k{number}") for number in range(100)]
    ring = proofs.ring(*(key for key, _ in made))

    async def ask() -> None:
        for number in range(100):
            for attempt in range(4):
                with contextlib.suppress(TooManyRequests):
                    await ring.prove(wrong(number, attempt))

    asyncio.run(ask())
    assert proofs.count == 25


def test_who_goes_away_takes_nothing_from_the_others(proofs: Proofs) -> None:
    key, secret = a_key()
    ring = proofs.ring(key)

    async def ask() -> object:
        first = asyncio.create_task(ring.prove(secret))
        second = asyncio.create_task(ring.prove(secret))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask()) is not None
