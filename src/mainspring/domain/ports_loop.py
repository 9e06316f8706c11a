"""The part of the records' port that concerns the loop: rollouts, what triggers remember, and the history."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from mainspring.domain.history import Break, Entry, Head, Production
from mainspring.domain.rollout_state import RolloutState

if TYPE_CHECKING:
    from mainspring.domain.ports import Lease


class LoopRecords(Protocol):
    """Rollouts, what triggers remember, fenced writing, and the history.

    Law: that of `Records`. There is at most one open rollout of a model, and one that has ended stays as it is.
    Nothing of the history is ever altered; each entry is written in the transaction of the change that it tells.
    """

    def put_rollout(self, state: RolloutState, *, actor: str = "controller") -> RolloutState:
        """Write where a rollout stands, and give it back with its next version.

        Its beginning, each change of its stage, step or pause, and its end, once it is decided, go into the
        history in the same transaction, with the note as the reason, and the evidence; nobody else tells them.

        Args:
            state: as it is from now on, with the version that was read; 0 for a new one.

        Raises:
            WorkspaceBusy: somebody else has written it meanwhile; nothing was written.
            UsageError: the model has another open rollout, or this one has ended.
        """
        ...

    def rollout(self, model: str) -> RolloutState | None:
        """The open one."""
        ...

    def rollouts(self, model: str | None = None, limit: int = 100) -> Sequence[RolloutState]: ...

    def loop_state(self, model: str) -> Mapping[str, Any]:
        """What the triggers of a model remember, as plain JSON; empty where they remember nothing."""
        ...

    def put_loop_state(self, model: str, state: Mapping[str, Any]) -> None:
        """Replace it."""
        ...

    def fenced(self, lease: "Lease") -> AbstractContextManager[None]:
        """While it is open, whatever these records write is written only if the lease is still this one.

        That is asked in the very transaction of the write, and holds for every thread that uses these records. A
        lease whose time ran out, but that nobody has taken since, still writes: there is nobody whom it could
        disturb. A lease that was given back writes no more. Renewing and giving back leases is not fenced.

        Raises (from the writes inside):
            WorkspaceBusy: another process has the lease now; nothing was written.
        """
        ...

    def record_event(
        self,
        model: str,
        kind: str,
        *,
        actor: str,
        reason: str,
        detail: Mapping[str, Any] | None = None,
        once: str | None = None,
    ) -> Entry:
        """Write an entry for what no other method tells: a trigger, a breaker, a target that is corrupt …

        Routes, traffic, keys, silences, rollouts and the beginnings and ends of runs are told by themselves.

        Args:
            model: empty for what concerns none.
            kind: a word or two in lower case, e.g. `trigger`.
            detail: plain data; what JSON does not have (NaN, an enumeration) becomes what it has.
            once: names the cause; where there is an entry of this model, kind and cause, that one is given back
                and nothing is written. So a writer that was killed may tell it again.

        Raises:
            UsageError: the kind is no such word, or one that only a change of route, traffic, key or silence has.
        """
        ...

    def history(
        self,
        model: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Entry]:
        """Newest first, in the order of writing; those at or after `since` and before `until`."""
        ...

    def history_head(self) -> Head:
        """How many entries there are, and the newest digest: to be noted elsewhere."""
        ...

    def verify_history(self, noted: str | None = None) -> Break | None:
        """The first place where the chain does not hold, or `None`; what that proves: see `domain.history`.

        Args:
            noted: a digest that was noted elsewhere, which must be one of the chain.
        """
        ...

    def route_at(self, model: str, moment: datetime) -> Production | None:
        """What had been decided for a model by that time; `None` where nothing had been.

        It is what the newest entry at or before that time, in the order of writing, left. A gateway follows within
        its poll (a quarter of a second), and each stored prediction names the release that gave it.
        """
        ...
