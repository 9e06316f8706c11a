"""What the stages of one run share."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mainspring.domain.budget import Budget
from mainspring.domain.ids import digest_bytes
from mainspring.domain.run import Run
from mainspring.domain.trigger import Trigger
from mainspring.loop.lifecycle.learning import LEARNING, Learning
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.lifecycle.progress import Progress
from mainspring.loop.lifecycle.resolution import ResolvedModel, training_data
from mainspring.project import Project
from mainspring.stores.atomic import write_atomic
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.model import Model
    from mainspring.domain.schema import Schema
    from mainspring.training.dataset import TrainingData

T = TypeVar("T")


_TRAINING = "training"


def end_run(workspace: Workspace, run: Run) -> None:
    """Write down how a run has ended, and remove what only one that goes on needs.

    Its arrays and fits take more room than its rows, and go first: who is killed in between comes here again.
    """
    shutil.rmtree(workspace.run_folder(run.id) / _TRAINING, ignore_errors=True)
    workspace.records.update_run(run)


class RunStopped(Exception):
    """A person stopped the run before there was anything to keep."""


@dataclass
class RunContext:
    """One run in one process.

    Attributes:
        stop: set when a person wants the run to end: training ends with the best so far.
    """

    project: Project
    workspace: Workspace
    run: Run
    budget: Budget
    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def folder(self) -> Path:
        folder = self.workspace.run_folder(self.run.id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def training_folder(self) -> Path:
        """What the training writes while it goes on: its rows as arrays, its trials, its fits."""
        return self.folder / _TRAINING

    def note(self, **changes: Any) -> None:
        """Change the run's record, in the database too."""
        self.run = replace(self.run, **changes)
        self.workspace.records.update_run(self.run)

    def save(self, name: str, value: Any) -> None:
        """Write a stage's outcome as JSON into the run's folder, whole or not at all."""
        write_atomic(self.folder / name, msgspec.json.encode(value), role=f"the run {self.run.id}")

    def load(self, name: str, kind: type[T]) -> T:
        """Read an earlier stage's outcome."""
        return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)

    @property
    def model(self) -> Model:
        return self.project.model

    @property
    def trigger(self) -> Trigger | None:
        """Why the run was started, where no person asked for it."""
        told = self.run.detail.get("trigger")
        return None if told is None else msgspec.convert(told, Trigger)

    @cached_property
    def made_from_tags(self) -> dict[str, str]:
        """What a trial was made from: the digests of its rows, its code and its environment."""
        from mainspring.release.lock import environment_lock

        return {
            "mainspring.snapshot": ", ".join(self.snapshots),
            "mainspring.code": self.project.code_digest,
            "mainspring.environment": digest_bytes(environment_lock().encode()),
        }

    @cached_property
    def model_rows(self) -> ModelRows:
        """How its rows are made. What they are made of is decided by the snapshot stage."""
        return ModelRows(self.workspace, self.project, self.run.detail.get("views"))

    @property
    def source_schema(self) -> Schema:
        """Of the model's source."""
        return self.model_rows.source_schema

    @property
    def schema(self) -> Schema:
        """Of the rows that are learnt from: the source's columns and the features that are none of them."""
        return self.model_rows.schema

    @property
    def resolved(self) -> ResolvedModel:
        return self.model_rows.resolved

    @property
    def snapshots(self) -> tuple[str, ...]:
        """The source's snapshot, and that of the labelled answers where there is one."""
        assert self.run.snapshot is not None, "the snapshot stage comes first"
        labelled = self.run.detail.get("labelled")
        return (self.run.snapshot,) if labelled is None else (self.run.snapshot, labelled)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The snapshots' rows, in order, with their features."""
        return self.model_rows.read(self.snapshots)

    @cached_property
    def learning(self) -> Learning:
        """What the snapshot stage decided."""
        return self.load(LEARNING, Learning) if (self.folder / LEARNING).exists() else Learning()

    @cached_property
    def data(self) -> TrainingData:
        model = replace(self.model, positive=self.model.positive or self.learning.positive)
        return training_data(self.rows, model, self.resolved, self.schema, split=self.learning.split)
