"""Rollouts, what triggers remember, and fenced writing in the records database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from mainspring.clock import Clock
from mainspring.domain.history import EntryKind
from mainspring.domain.ports import Lease
from mainspring.domain.rollout_state import RolloutState
from mainspring.errors import UsageError, WorkspaceBusy
from mainspring.stores.records_engine import Engine
from mainspring.stores.records_history import append
from mainspring.stores.records_leases import check_held
from mainspring.stores.records_outbox import as_json
from mainspring.stores.records_rows import moment
from mainspring.stores.records_schema import loop_states, rollouts


class SqlLoop:
    """The part of `ports.Records` that concerns the loop; mixed into `SqlRecords`."""

    _engine: Engine
    _clock: Clock

    def put_rollout(self, state: RolloutState, *, actor: str = "controller") -> RolloutState:
        with self._engine.writing() as connection:
            row = connection.execute(sa.select(rollouts).where(rollouts.c.id == state.id)).one_or_none()
            before = None if row is None else _rollout(row.body)
            _check(connection, before, state)
            written = replace(state, version=state.version + 1)
            values = {
                "model": state.model,
                "started_at": moment(state.started_at),
                "ended": not state.is_open,
                "body": as_json(written),
            }
            if before is None:
                connection.execute(rollouts.insert().values(id=state.id, **values))
            else:
                connection.execute(rollouts.update().where(rollouts.c.id == state.id).values(**values))
            if before is None or _place(before) != _place(state):
                detail = _told(before, written)
                at = self._clock.now()
                append(
                    connection, at, state.model, EntryKind.ROLLOUT, actor=actor, reason=state.note, detail=detail
                )
            return written

    def rollout(self, model: str) -> RolloutState | None:
        query = sa.select(rollouts.c.body).where(rollouts.c.model == model, rollouts.c.ended.is_(False))
        with self._engine.reading() as connection:
            body = connection.execute(query).scalar_one_or_none()
            return None if body is None else _rollout(body)

    def rollouts(self, model: str | None = None, limit: int = 100) -> Sequence[RolloutState]:
        query = sa.select(rollouts.c.body).order_by(rollouts.c.started_at.desc(), rollouts.c.id.desc())
        if model is not None:
            query = query.where(rollouts.c.model == model)
        with self._engine.reading() as connection:
            return [_rollout(body) for body in connection.execute(query.limit(limit)).scalars()]

    def loop_state(self, model: str) -> Mapping[str, Any]:
        query = sa.select(loop_states.c.state).where(loop_states.c.model == model)
        with self._engine.reading() as connection:
            state = connection.execute(query).scalar_one_or_none()
            found: dict[str, Any] = {} if state is None else msgspec.json.decode(state)
            return found

    def put_loop_state(self, model: str, state: Mapping[str, Any]) -> None:
        with self._engine.writing() as connection:
            connection.execute(loop_states.delete().where(loop_states.c.model == model))
            if state:
                connection.execute(loop_states.insert().values(model=model, state=as_json(state)))

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[None]:
        with self._engine.fenced(lambda connection: check_held(connection, lease.name, lease.token)):
            yield


def _check(connection: sa.Connection, before: RolloutState | None, state: RolloutState) -> None:
    """Raises `WorkspaceBusy` or `UsageError` where the state may not be written."""
    where = {"model": state.model, "rollout": state.id}
    if (0 if before is None else before.version) != state.version:
        raise WorkspaceBusy(
            f"another process has changed the rollout of {state.model}@{state.challenger} meanwhile",
            cure="read it again; nothing was written",
            where=where,
        )
    if before is not None and not before.is_open:
        raise UsageError(
            f"the rollout of {state.model}@{state.challenger} has ended ({before.end})",
            cure=f"begin another: `mainspring promote {state.model}@{state.challenger}`",
            where=where,
        )
    if before is None and state.is_open:
        query = sa.select(rollouts.c.body).where(rollouts.c.model == state.model, rollouts.c.ended.is_(False))
        other = connection.execute(query).scalar_one_or_none()
        if other is not None:
            raise UsageError(
                f"{state.model}@{_rollout(other).challenger} is on its way up already",
                cure=f"wait for its end, or end it: `mainspring reject {state.model}`",
                where=where,
            )


def _told(before: RolloutState | None, state: RolloutState) -> dict[str, Any]:
    """What the history keeps of a move: from where to where, on which evidence; of the first one the plan too."""
    told: dict[str, Any] = {
        "rollout": state.id,
        "challenger": state.challenger,
        "champion": state.before,
        "from": None if before is None else _place(before),
        "to": _place(state),
        "evidence": state.evidence,
    }
    return {**told, "plan": state.plan} if before is None else told


def _place(state: RolloutState) -> dict[str, Any]:
    """What the history tells a change of; an end is told when it is decided, and not again when it has come."""
    end = state.end or state.ending
    return {"stage": state.stage, "step": state.step, "paused_at": state.paused_at, "end": end}


def _rollout(body: str) -> RolloutState:
    return msgspec.json.decode(body, type=RolloutState)
