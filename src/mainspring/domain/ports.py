"""The ports: what a stage needs from a store, and the law that every backend keeps.

Each port has one contract suite in `mainspring.testing.contracts`, run over every backend.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import mainspring.domain.release as release
from mainspring.domain.access import ApiKey
from mainspring.domain.ports_alerts import AlertRecords
from mainspring.domain.ports_features import FeatureRecords
from mainspring.domain.ports_gateway import GatewayRecords
from mainspring.domain.ports_loop import LoopRecords
from mainspring.domain.routing import Traffic
from mainspring.domain.run import Run
from mainspring.domain.snapshot import Snapshot


class Lease(Protocol):
    """The right to be the only one. Its token only ever grows, so that a late writer can be told from a live one.

    Law: at most one live lease of a name. Of one that was not renewed within its time to live, or whose process on
    this host is gone, another may take the place: then it is lost, which is noticed at `renew`. Where nobody has,
    it goes on: so a machine that was suspended, or whose clock was put on, loses nothing.
    """

    name: str
    token: int

    def renew(self) -> None:
        """Raises `WorkspaceBusy` when the lease was lost."""
        ...

    def release(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class Records(GatewayRecords, AlertRecords, LoopRecords, FeatureRecords, Protocol):
    """The records database: numbers, routes, runs, snapshots, views, keys, leases, alerts, rollouts, the history.

    Law: every method is one transaction. Writing what is already there, with the same key and content, changes
    nothing; reading what is not there gives `None` or an empty sequence. Lists come newest first.
    """

    def begin_run(self, run: Run) -> Run:
        """Store a new run and tell the history; if one of this id exists, return that one unchanged.

        Runs of the model that say they began later were begun by a clock that was ahead: from now on just before.
        """
        ...

    def update_run(self, run: Run) -> None:
        """Replace it, and tell the history when it has ended. Raises `StoreError` where there is none."""
        ...

    def run(self, run_id: str) -> Run | None: ...

    def runs(self, model: str | None = None, limit: int = 100) -> Sequence[Run]: ...

    def put_snapshot(self, snapshot: Snapshot) -> None: ...

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """By its whole id or a unique prefix of at least six characters."""
        ...

    def snapshots(
        self, source: str | None = None, as_of: datetime | None = None, limit: int = 100
    ) -> Sequence[Snapshot]:
        """Newest first; with `as_of` only those created at or before that time."""
        ...

    def reserve_number(self, model: str, run_id: str) -> int:
        """The next release number of the model; the same run always gets the same number."""
        ...

    def put_release(self, record: release.ReleaseRecord) -> None:
        """Register a sealed release. Raises `StoreError` if the number is taken by another digest."""
        ...

    def find_release(self, reference: release.ReleaseRef) -> release.ReleaseRecord | None: ...

    def releases(self, model: str | None = None) -> Sequence[release.ReleaseRecord]: ...

    def set_alias(self, model: str, alias: release.Alias, number: int | None, *, actor: str, reason: str) -> int:
        """Point an alias at a release (or at none), tell the history, and return the route generation.

        Pointing `champion` at the challenger also clears `challenger`, and what the new champion makes of the
        model's rules of traffic (`Traffic.under`) holds from then on; without a champion there are none. Setting
        what already holds writes nothing and returns the present generation. Raises `UnknownRelease`.
        """
        ...

    def set_traffic(
        self, model: str, traffic: Traffic, *, actor: str, reason: str, instead_of: Traffic | None = None
    ) -> int:
        """Set the model's rules of traffic, tell the history, and return the route generation.

        Setting what already holds writes nothing and returns the present generation. Raises `UnknownRelease` for
        a release that is not there, `UsageError` where the model has no champion or a canary or shadow is it,
        `WorkspaceBusy` where rules are named that these replace, and others hold by now.
        """
        ...

    def audit(self, model: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """The history's entries on routes, traffic and keys: who or what changed it, when and why.

        A change of the rules of traffic has the alias `traffic`, and as `detail` the rules before and after.
        """
        ...

    def add_key(self, key: ApiKey, *, actor: str) -> None:
        """Store a key and tell the history. Raises `UsageError` when a live key has its name."""
        ...

    def revoke_key(self, name: str, *, actor: str, reason: str) -> ApiKey:
        """Take back the live key of this name (or id) and tell the history; a revoked one stays as it is.

        Raises `UsageError` when there never was such a key.
        """
        ...

    def workers(self, model: str | None = None) -> Mapping[str, int]:
        """The live workers and the generation by which each answers: for that model, or at least for every one."""
        ...

    def lease_holder(self, name: str) -> str | None:
        """The owner of the live lease of this name, if there is one."""
        ...

    def lease(self, name: str, owner: str, *, ttl: float) -> Lease:
        """Take the lease. Raises `WorkspaceBusy`, naming the holder, when another live owner has it."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Tables(Protocol):
    """Versioned tables of rows.

    Law: a version, once written, reads the same for ever. A write is all or nothing. `rows` are Arrow streams
    (objects with `__arrow_c_stream__`, such as a Polars frame or a pyarrow reader), so that no backend and no
    caller needs the other's frame.
    """

    def create(self, table: str, rows: Any, *, transaction: str) -> int:
        """Write a new table and return its version; repeating the same transaction id returns that version."""
        ...

    def append(self, table: str, rows: Any, *, transaction: str) -> int:
        """Append without rewriting the rows that are there; repeating a transaction id changes nothing."""
        ...

    def committed(self, table: str, transaction: str) -> int | None:
        """The version that a transaction wrote, or `None` where it did not come to its commit."""
        ...

    def exists(self, table: str) -> bool: ...

    def names(self, prefix: str) -> Sequence[str]:
        """The tables whose names are the prefix, a slash and one word, in ascending order."""
        ...

    def version(self, table: str) -> int:
        """The newest version. Raises `StoreError` where there is no such table."""
        ...

    def scan(self, table: str, version: int | None = None) -> Any:
        """A Polars `LazyFrame` over the rows of that version, in the order in which they were written.

        Of a table that `record` made: in no order; a filter by the partition reads nothing of the others.
        """
        ...

    # Tables of what can be made again. Law: who uses one says so, and has it for as long as `remove` is told.

    def touch(self, table: str) -> bool:
        """Say that the table is used now; whether there is one."""
        ...

    def remove(self, table: str, *, unused_for: timedelta) -> bool:
        """Remove a table that nobody has written or touched for so long, all its versions; whether that was so."""
        ...

    # Tables that grow all the time. Law: as above, but a version is kept for a week only, and rows have no order.

    def record(self, table: str, rows: Any, *, partition: str, offsets: Mapping[str, tuple[int, int]]) -> int:
        """Add rows to a table partitioned by the values of a column; makes the table, and adds columns it lacks.

        Args:
            offsets: for each application whose stream the rows are from, the place up to which its rows are
                stored and the place up to which they are then; written with the rows, all or nothing.

        Raises:
            StoreError: the first place of an application is not what the table has, or a column is of another
                kind than the table's.
        """
        ...

    def offset(self, table: str, application: str) -> int:
        """The place up to which the application's rows are stored; 0 where none are, or no such table."""
        ...

    def offsets(self, table: str, applications: Sequence[str]) -> Mapping[str, int]:
        """`offset` of each of these, read at once."""
        ...

    def has_grown(self, table: str, since: int) -> bool:
        """Whether the table has a version after this one (`-1`: any); so quick that it can be asked all the time.

        `since` is a version of the last days: of older ones it may be forgotten that one came after them.
        """
        ...

    def added(self, table: str, since: int) -> tuple[Any, int]:
        """The rows that the versions after `since` brought, as a `LazyFrame` in no order, and the newest version.

        Those of `rewrite` and `compact` were there before and are not among them; those that were dropped
        meanwhile are. So who goes on from the version that was returned sees each row once.

        Raises:
            HistoryGone: what some of these versions brought is no longer known; the whole table is to be read.
            StoreError: there is no such table, or no version `since` yet.
        """
        ...

    def columns(self, table: str) -> Mapping[str, str]:
        """The columns and their kinds in Delta's words (`double`, `long`, `boolean`, `timestamp`, `string` …)."""
        ...

    def partitions(self, table: str) -> Mapping[str, Sequence[int]]:
        """The sizes in bytes of the files of each partition, by its value as text, in ascending order."""
        ...

    def compact(self, table: str, value: str, *, smaller_than: int = ..., at_least: int = 2) -> int:
        """Merge the files of a partition that are smaller; the rows stay the same.

        Args:
            at_least: nothing is done where fewer files than these would be merged.

        Returns:
            how many files were merged.
        """
        ...

    def rewrite(self, table: str, value: str, change: Callable[[Any], Any]) -> int:
        """Put other rows in the place of a partition's, all or nothing; those that others add meanwhile stay.

        Args:
            change: from a `LazyFrame` of the rows that are there to those that say the same, with the same
                columns; small enough to be in memory.

        Returns:
            how many files were replaced; 0 where the partition has no rows.

        Raises:
            WorkspaceBusy: another process has merged the partition meanwhile.
        """
        ...

    def drop(self, table: str, *, before: str) -> int:
        """Remove the partitions whose value, as text, is smaller, and return how many there were."""
        ...

    def tidy(self, table: str) -> int:
        """Write a checkpoint, and remove versions and files that nobody can need after a week; how many files."""
        ...


@runtime_checkable
class Tracking(Protocol):
    """Runs and trials for people and tools; written, never read back by us.

    Law: every method is idempotent by its run or trial key, so that a resumed run leaves no second copy.
    """

    def begin_run(self, model: str, run_id: str, tags: Mapping[str, str]) -> str:
        """The tracking id of the run of this id."""
        ...

    def trial_environment(self, parent: str, index: int) -> Mapping[str, str]:
        """Environment variables by which the tracking calls of the user's own code land in that trial's run."""
        ...

    def log_trial(
        self,
        parent: str,
        index: int,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        status: str,
        started_at: datetime,
        ended_at: datetime,
    ) -> None: ...

    def log_run(
        self,
        tracking_id: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Iterable[Path] = (),
    ) -> None: ...

    def end_run(self, tracking_id: str, status: str) -> None:
        """`FINISHED`, `FAILED` or `KILLED`."""
        ...

    def mirror_release(self, record: release.ReleaseRecord, folder: Path, tracking_id: str | None) -> None:
        """Register the release as a model version, tagged with our number."""
        ...

    def mirror_alias(self, model: str, alias: str, number: int | None) -> None: ...
