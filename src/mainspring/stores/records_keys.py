"""The gateway's keys in the records database."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import sqlalchemy as sa

from mainspring.clock import Clock
from mainspring.domain.access import ApiKey
from mainspring.domain.history import EntryKind
from mainspring.errors import StoreError, UsageError
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_history import append
from mainspring.stores.records_rows import key_of, moment, time_of
from mainspring.stores.records_schema import api_keys, generation


class SqlKeys:
    """The part of `ports.Records` that concerns keys; mixed into `SqlRecords`."""

    _engine: Engine
    _clock: Clock

    def add_key(self, key: ApiKey, *, actor: str) -> None:
        with self._engine.writing() as connection:
            same_id = connection.execute(sa.select(api_keys).where(api_keys.c.id == key.id)).one_or_none()
            if same_id is not None:
                if key_of(same_id) == key:
                    return
                raise StoreError(f"there is a key of the id {key.id} already", cure="create another")
            same_name = sa.select(api_keys.c.id).where(
                api_keys.c.name == key.name, api_keys.c.revoked_at.is_(None)
            )
            if connection.execute(same_name).first() is not None:
                raise UsageError(
                    f"there is a key named {key.name!r} already",
                    cure="take another name, or revoke that one first: `mainspring keys revoke NAME`",
                    where={"key": key.name},
                )
            connection.execute(
                api_keys.insert().values(
                    id=key.id,
                    name=key.name,
                    digest=key.digest,
                    roles=msgspec.json.encode(key.roles).decode(),
                    created_at=moment(key.created_at),
                    expires_at=None if key.expires_at is None else moment(key.expires_at),
                    revoked_at=None if key.revoked_at is None else moment(key.revoked_at),
                )
            )
            until = "" if key.expires_at is None else f" until {key.expires_at:%Y-%m-%d %H:%M} UTC"
            _tell(connection, self._clock, key, actor, f"created for {', '.join(key.roles)}{until}")

    def revoke_key(self, name: str, *, actor: str, reason: str) -> ApiKey:
        with self._engine.writing() as connection:
            of_name = sa.select(api_keys).where(sa.or_(api_keys.c.name == name, api_keys.c.id == name))
            rows = connection.execute(of_name.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())).all()
            if not rows:
                raise UsageError(
                    f"there is no key {name!r}", cure="see `mainspring keys list`", where={"key": name}
                )
            key = key_of(next((row for row in rows if row.revoked_at is None), rows[0]))
            if key.revoked_at is not None:
                return key
            now = moment(self._clock.now())
            connection.execute(api_keys.update().where(api_keys.c.id == key.id).values(revoked_at=now))
            _tell(connection, self._clock, key, actor, f"revoked: {reason}")
            return replace(key, revoked_at=time_of(now))

    def api_keys(self) -> Sequence[ApiKey]:
        query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        with self._engine.reading() as connection:
            return [key_of(row) for row in connection.execute(query)]


def _tell(connection: sa.Connection, clock: Clock, key: ApiKey, actor: str, what: str) -> None:
    present = connection.execute(sa.select(generation.c.value)).scalar_one()
    detail = {"key": key.name, "id": key.id, "generation": present}
    of_no_model = ""
    append(connection, clock.now(), of_no_model, EntryKind.KEY, actor=actor, reason=what, detail=detail)
