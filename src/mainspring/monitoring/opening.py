"""Opens what the monitors of a model are given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mainspring.clock import Clock
from mainspring.domain.agreement import ViewAgreement
from mainspring.domain.measurement import Window
from mainspring.domain.ports import Records, Tables
from mainspring.domain.release import Manifest
from mainspring.errors import MainspringError
from mainspring.monitoring.context import Context
from mainspring.monitoring.jobs.job import Job
from mainspring.release.catalogue import Catalogue

_LOG = logging.getLogger("mainspring.monitoring")
_MOST_RELEASES = 50  # of those that answered, the newest


@dataclass(frozen=True, slots=True)
class Stores:
    """What an evaluation reads and writes.

    Attributes:
        gateway_metrics: asks the gateway for the text of its `/metrics`; `None` where none answers.
        agreement: computes features anew, see `Context.agreement`.
    """

    tables: Tables
    records: Records
    catalogue: Catalogue
    clock: Clock
    gateway_metrics: Callable[[], str | None] = lambda: None
    agreement: Callable[[Manifest, Window], Sequence[ViewAgreement]] | None = None


def open_job_context(
    stores: Stores, model: str, job: Job, now: datetime, label_delay: timedelta | None
) -> Context | None:
    """What the monitors of a score job are given; `None` where its release cannot be read any more."""
    record = next((one for one in stores.records.releases(model) if one.number == job.release), None)
    if record is None:
        return None
    try:
        manifest = stores.catalogue.manifest(record)
    except MainspringError as error:
        _LOG.error("the jobs of %s are not watched: %s", record.ref, error)
        return None
    return Context(
        model=model,
        tables=stores.tables,
        now=now,
        champion=job.release,
        manifests={job.release: manifest},
        folders={job.release: stores.catalogue.folder(record)},
        label_delay=label_delay,
        job=job,
    )


def open_context(stores: Stores, model: str, now: datetime, label_delay: timedelta | None) -> Context | None:
    """What the monitors are given; `None` where the model has no champion."""
    route = stores.records.routes().of(model)
    if route is None:
        return None
    records = stores.records.releases(model)
    wanted = {route.champion, *((route.challenger,) if route.challenger else ())}
    wanted |= {record.number for record in records[:_MOST_RELEASES]}
    manifests: dict[int, Manifest] = {}
    folders: dict[int, Path] = {}
    for record in records:
        if record.number not in wanted:
            continue
        try:
            manifests[record.number] = stores.catalogue.manifest(record)
        except MainspringError as error:
            _LOG.error("%s is not watched: %s", record.ref, error)
            continue
        folders[record.number] = stores.catalogue.folder(record)
    if route.champion not in manifests:
        return None
    champion, agreement = manifests[route.champion], stores.agreement
    return Context(
        model=model,
        tables=stores.tables,
        now=now,
        champion=route.champion,
        manifests=manifests,
        folders=folders,
        challengers=tuple(number for number in route.traffic.numbers if number != route.champion),
        label_delay=label_delay,
        states={name: dict(state) for name, state in stores.records.monitor_states(model).items()},
        gateway_metrics=stores.gateway_metrics(),
        materialised=stores.records.feature_views() if champion.views else (),
        agreement=None if agreement is None else lambda window: agreement(champion, window),
    )
