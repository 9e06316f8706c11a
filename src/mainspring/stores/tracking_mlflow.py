"""Runs, trials and a mirror of the registry in MLflow."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.domain.release import Alias, ReleaseRecord
from mainspring.errors import StoreError
from mainspring.quiet import QUIET, be_quiet

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

RUN, TRIAL, NUMBER, LOGGED = "mainspring.run_id", "mainspring.trial", "mainspring.number", "mainspring.logged"

_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1000  # MLflow takes no more in one batch
_NOT_IN_A_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)


class MlflowTracking:
    """`ports.Tracking` on MLflow; nothing is imported or opened before the first call.

    Args:
        uri: of the tracking store, which is also the registry, e.g. `sqlite:////…/.mainspring/mlflow.db`.
        artifacts: a folder or a cloud URL under which every model's artifacts lie.
    """

    def __init__(self, uri: str, artifacts: str) -> None:
        self._uri = uri
        self._artifacts = artifacts
        self._experiments: dict[str, str] = {}
        self._trials: dict[tuple[str, int], str] = {}

    def begin_run(self, model: str, run_id: str, tags: Mapping[str, str]) -> str:
        with _named_errors():
            experiment = self._experiment(model)
            found = self._find(experiment, {RUN: run_id}, children=False)
            if found is None:
                found = self._client.create_run(
                    experiment, tags={**tags, RUN: run_id}, run_name=f"run {run_id[-8:]}"
                )
            elif tags:
                self._log(found.info.run_id, tags=tags)
            return str(found.info.run_id)

    def trial_environment(self, parent: str, index: int) -> Mapping[str, str]:
        with _named_errors():
            return {
                **QUIET,
                "MLFLOW_TRACKING_URI": self._uri,
                "MLFLOW_RUN_ID": self._trial(parent, index),
                "MLFLOW_EXPERIMENT_ID": self._client.get_run(parent).info.experiment_id,
            }

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
    ) -> None:
        with _named_errors():
            trial = self._trial(parent, index, started_at)
            if LOGGED in self._client.get_run(trial).data.tags:
                return
            moment = _milliseconds(ended_at)
            self._log(trial, params=params, metrics=metrics, moment=moment, step=index)
            self._log(trial, tags={**tags, LOGGED: "true"})
            # The user's own code may have ended the run already; how the trial ended is ours to say.
            self._client.set_terminated(trial, status, end_time=moment)

    def log_run(
        self,
        tracking_id: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Iterable[Path] = (),
    ) -> None:
        with _named_errors():
            # The run's own start is the time of its metrics, so that logging twice leaves one point each.
            moment = int(self._client.get_run(tracking_id).info.start_time)
            self._log(tracking_id, params=params, metrics=metrics, tags=tags, moment=moment)
            for place in artifacts:
                if place.is_dir():
                    self._client.log_artifacts(tracking_id, str(place), place.name)
                else:
                    self._client.log_artifact(tracking_id, str(place))

    def end_run(self, tracking_id: str, status: str) -> None:
        with _named_errors():
            if self._client.get_run(tracking_id).info.status != status:
                self._client.set_terminated(tracking_id, status)

    def mirror_release(self, record: ReleaseRecord, folder: Path, tracking_id: str | None) -> None:
        with _named_errors():
            if self._version(record.model, record.number) is not None:
                return
            if not self._client.search_registered_models(f"name='{record.model}'"):
                self._client.create_registered_model(record.model)
            self._client.create_model_version(
                record.model,
                source=folder.absolute().as_uri(),
                run_id=tracking_id,
                tags={NUMBER: str(record.number), RUN: record.run_id, "mainspring.digest": record.digest},
                description=f"release {record.ref}, {record.runtime}",
                await_creation_for=0,
            )

    def mirror_alias(self, model: str, alias: str, number: int | None) -> None:
        with _named_errors():
            if number is None:
                if self._client.search_registered_models(f"name='{model}'"):
                    self._client.delete_registered_model_alias(model, alias)
                return
            version = self._version(model, number)
            if version is None:
                raise StoreError(
                    f"MLflow has no version of the release {model}@{number}", cure="mirror the release first"
                )
            self._client.set_registered_model_alias(model, alias, version)
            named = self._client.get_registered_model(model).aliases
            if alias == Alias.CHAMPION and str(named.get(str(Alias.CHALLENGER))) == version:
                self._client.delete_registered_model_alias(model, str(Alias.CHALLENGER))

    @cached_property
    def _client(self) -> MlflowClient:
        be_quiet()
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(self._uri, registry_uri=self._uri)

    def _experiment(self, model: str) -> str:
        if model not in self._experiments:
            client = self._client  # before anything of MLflow is imported: it makes it quiet
            from mlflow.exceptions import MlflowException

            found = client.get_experiment_by_name(model)
            if found is None:
                place = self._artifacts if "://" in self._artifacts else Path(self._artifacts).absolute().as_uri()
                with suppress(MlflowException):  # another process was first
                    client.create_experiment(model, artifact_location=f"{place.rstrip('/')}/{model}")
                found = client.get_experiment_by_name(model)
                assert found is not None
            elif found.lifecycle_stage != "active":  # deleted by a person in MLflow's own page
                client.restore_experiment(found.experiment_id)
            self._experiments[model] = str(found.experiment_id)
        return self._experiments[model]

    def _trial(self, parent: str, index: int, started_at: datetime | None = None) -> str:
        """The tracking id of the trial; its run is made when first asked for."""
        if (parent, index) not in self._trials:
            run = self._client.get_run(parent)
            tags = {RUN: run.data.tags[RUN], TRIAL: str(index)}
            found = self._find(run.info.experiment_id, tags)
            if found is None:
                found = self._client.create_run(
                    run.info.experiment_id,
                    start_time=None if started_at is None else _milliseconds(started_at),
                    tags={**tags, "mlflow.parentRunId": parent},
                    run_name=f"trial {index}",
                )
            self._trials[parent, index] = str(found.info.run_id)
        return self._trials[parent, index]

    def _find(self, experiment: str, tags: Mapping[str, str], *, children: bool = True) -> Run | None:
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        for run in self._client.search_runs([experiment], wanted, max_results=1000, order_by=["start_time"]):
            if children or TRIAL not in run.data.tags:
                return run
        return None

    def _version(self, model: str, number: int) -> str | None:
        wanted = f"name='{model}' and tags.`{NUMBER}` = '{number}'"
        return next((str(found.version) for found in self._client.search_model_versions(wanted)), None)

    def _log(
        self,
        run: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        moment: int = 0,
        step: int = 0,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(_name(name), float(value), moment, step) for name, value in (metrics or {}).items()]
        settings = [Param(_name(name), str(value)) for name, value in (params or {}).items()]
        labels = [RunTag(_name(name), str(value)) for name, value in (tags or {}).items()]
        for start in range(0, len(points), _METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=points[start : start + _METRICS_AT_ONCE])
        for start in range(0, max(len(settings), len(labels)), _PARAMS_AT_ONCE):
            batch = slice(start, start + _PARAMS_AT_ONCE)
            self._client.log_batch(run, params=settings[batch], tags=labels[batch])


def _name(text: str) -> str:
    """A name that MLflow takes: it knows few characters and 250 of them."""
    return _NOT_IN_A_NAME.sub("_", text)[:250]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        # MLflow lets its own errors, SQLAlchemy's and the network's through; the run does not depend on them.
        reason = next(iter(str(error).splitlines()), "")
        raise StoreError(
            f"MLflow did not take it: {type(error).__name__}: {reason[:200]}",
            cure="see [tracking] in mainspring.toml",
            where={"place": "tracking"},
        ) from error
