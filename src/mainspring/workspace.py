"""The composition root: the only place that opens stores by their URLs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mainspring.clock import SYSTEM_CLOCK, Clock
from mainspring.settings import Settings

if TYPE_CHECKING:  # each store is imported when it is first asked for: `--help` and `predict` need few of them
    from mainspring.batch.view_features import ViewStores
    from mainspring.data.snapshots import Snapshots
    from mainspring.domain.ports import Records, Tables, Tracking
    from mainspring.domain.ports_features import OnlineStore
    from mainspring.domain.ports_gateway import GatewayRecords
    from mainspring.domain.release import ReleaseRecord
    from mainspring.features.rows import Offline
    from mainspring.project import Project
    from mainspring.release.catalogue import Catalogue
    from mainspring.release.opening import OpenRelease


class Workspace:
    """Where a project's state lives; every store opens when it is first used.

    Args:
        settings: where each store is.
        clock: replaceable in tests and simulation.
    """

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self.clock = clock
        settings.workspace.mkdir(parents=True, exist_ok=True)

    @cached_property
    def records(self) -> Records:
        from mainspring.stores.records import SqlRecords

        return SqlRecords(self.settings.records_url, self.clock)

    def gateway_records(self) -> GatewayRecords:
        """The records for a gateway, which is to answer soon: opened when it does."""
        from mainspring.serving.gateway_records import RecordsAfterFirstLook
        from mainspring.stores.records_first_look import first_look

        first = first_look(self.settings.records_url)
        return RecordsAfterFirstLook(first, lambda: self.records, self.clock)

    @cached_property
    def tables(self) -> Tables:
        from mainspring.stores.tables_delta import DeltaTables

        return DeltaTables(self.settings.tables_url)

    @cached_property
    def online(self) -> OnlineStore:
        from mainspring.features.online.opening import open_online

        return open_online(self.settings.features_url)

    @cached_property
    def snapshots(self) -> Snapshots:
        from mainspring.data.snapshots import Snapshots

        return Snapshots(self.tables, self.records, self.clock)

    @cached_property
    def tracking(self) -> Tracking:
        from mainspring.stores.tracking_mlflow import MlflowTracking

        return MlflowTracking(self.settings.tracking_url, self.settings.tracking_artifacts)

    @cached_property
    def catalogue(self) -> Catalogue:
        from mainspring.release.catalogue import Catalogue

        return Catalogue(self.records, self.settings.releases)

    def offline(self, project: Project) -> Offline:
        """The rows of a project's feature views.

        A view whose source has no schema yet takes the kinds of its keys from the model's schema, where there is
        one.
        """
        from mainspring.data.schema_file import read_schema
        from mainspring.features.rows import Offline

        like = read_schema(project.schema_path) if project.schema_path.exists() else None
        return Offline(
            snapshots=self.snapshots,
            tables=self.tables,
            root=project.root,
            environ=project.environ,
            like=like,
            clock=self.clock,
        )

    def view_stores(self, project: Project) -> ViewStores:
        """Where rows that lack features of the project's views find them."""
        from mainspring.batch.view_features import ViewStores

        return ViewStores(
            online=lambda: self.online,
            offline=lambda: self.offline(project),
            views=lambda: project.views,
            clock=self.clock,
        )

    def open_release(self, record: ReleaseRecord) -> OpenRelease:
        """The release, verified as the gateway verifies it.

        Raises:
            TamperedRelease, GoldenMismatch: it is not what was sealed.
        """
        from mainspring.release.opening import open_release
        from mainspring.release.signing import trusted_keys

        return open_release(
            self.catalogue.folder(record), trusted_keys(self.trusted), expected_digest=record.digest
        )

    def close(self) -> None:
        """Close what was opened."""
        for name in ("records", "online"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def keys(self) -> Path:
        """The folder of the signing key and of the public keys that are trusted."""
        return self.settings.workspace / "keys"

    @property
    def trusted(self) -> Path:
        """The folder of the public keys whose releases are opened."""
        return self.keys / "trusted"

    def run_folder(self, run_id: str) -> Path:
        """The working files of a run."""
        return self.settings.workspace / "runs" / run_id

    @property
    def gateway_folder(self) -> Path:
        """What a gateway of this workspace keeps: its routes and its cache."""
        return self.settings.workspace / "gateway"
