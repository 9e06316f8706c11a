"""What `ports.Records` owes to the gateway's keys, as tests that every backend must pass."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from mainspring.domain.access import ApiKey, Role
from mainspring.domain.ports import Records
from mainspring.errors import StoreError, UsageError

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


def a_key(
    key_id: str,
    name: str,
    *,
    minutes: int = 0,
    roles: tuple[Role, ...] = (Role.PREDICT,),
    expires_at: datetime | None = None,
) -> ApiKey:
    return ApiKey(key_id, name, f"$argon2id$v=19${key_id}", roles, NOON + timedelta(minutes=minutes), expires_at)


class KeysContract:
    """Needs the fixture `records`."""

    def test_keys_are_kept_with_their_history(self, records: Records) -> None:
        first = a_key("k1", "web", roles=(Role.PREDICT, Role.FEEDBACK))
        second = a_key("k2", "ops", minutes=1, expires_at=NOON + timedelta(days=90))
        for key in (first, first, second):
            records.add_key(key, actor="ana")
        assert list(records.api_keys()) == [second, first]
        gone = records.revoke_key("web", actor="bob", reason="it leaked")
        assert gone == dataclasses.replace(first, revoked_at=gone.revoked_at)
        assert gone.revoked_at is not None
        assert records.revoke_key("web", actor="bob", reason="again") == gone
        assert list(records.api_keys()) == [second, gone]
        third = a_key("k3", "web", minutes=2)  # the name is free again
        records.add_key(third, actor="ana")
        assert records.revoke_key("k2", actor="bob", reason="by id").id == "k2"
        assert [(a["alias"], a["actor"], a["reason"], a["generation"]) for a in records.audit()] == [
            ("key ops", "bob", "revoked: by id", 0),
            ("key web", "ana", "created for predict", 0),
            ("key web", "bob", "revoked: it leaked", 0),
            ("key ops", "ana", "created for predict until 2026-05-30 12:00 UTC", 0),
            ("key web", "ana", "created for predict, feedback", 0),
        ]
        assert not any(key.digest in str(change) for key in (first, second) for change in records.audit())

    def test_a_live_key_keeps_its_name_and_its_id(self, records: Records) -> None:
        records.add_key(a_key("k1", "web"), actor="ana")
        with pytest.raises(UsageError, match="'web' already"):
            records.add_key(a_key("k2", "web"), actor="ana")
        with pytest.raises(StoreError, match="k1 already"):
            records.add_key(a_key("k1", "other"), actor="ana")
        with pytest.raises(UsageError, match="no key 'absent'"):
            records.revoke_key("absent", actor="ana", reason="typo")
        assert len(records.api_keys()) == len(records.audit()) == 1
