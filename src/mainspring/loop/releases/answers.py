"""What a release answers on a holdout, so that two can be compared on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.labelled_rows import ANSWERED
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.errors import DataError, MainspringError
from mainspring.loop.lifecycle.model_rows import ModelRows
from mainspring.loop.lifecycle.windows import unseen_since
from mainspring.training.dataset import TrainingData
from mainspring.training.splitting import apply_split
from mainspring.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Answers:
    """On the h rows of the holdout.

    Attributes:
        outputs: [h, k] in the order of the holdout's classes.
        unseen: bool [h], the rows that the release did not learn from; none where it cannot answer, and `note`
            says why: then nothing can be compared, and a gate that wants to does not pass.
    """

    ref: ReleaseRef
    outputs: NDArray[np.float64]
    unseen: NDArray[np.bool_]
    note: str = ""


def champion_answers(
    workspace: Workspace, model: str, rows: pl.DataFrame, data: TrainingData, made: ModelRows
) -> Answers | None:
    """Ask the champion, as it would serve; `None` where there is none.

    Args:
        rows: the snapshot's rows.
        data: the challenger's training data of these rows.
        made: how they were made.
    """
    route = workspace.records.routes().of(model)
    return None if route is None else answers_of(workspace, ReleaseRef(model, route.champion), rows, data, made)


def answers_of(
    workspace: Workspace, ref: ReleaseRef, rows: pl.DataFrame, data: TrainingData, made: ModelRows
) -> Answers:
    """Ask a release, as it would serve, about the holdout of some training data."""
    held = data.row[data.holdout]
    try:
        with workspace.open_release(workspace.catalogue.find(ref)) as opened:
            order = _class_order(opened.manifest, data)
            outputs = opened.runtime.predict_frame(made.for_release(opened.manifest, rows[held]))
            adopted = opened.manifest.training is None
            note = f"nobody knows from which rows {ref} has learnt: it was adopted" if adopted else ""
            return Answers(ref, outputs[:, order], _unseen(opened.manifest, rows, held), note)
    except MainspringError as error:
        nothing = np.zeros((len(held), len(data.classes) or 1)), np.zeros(len(held), dtype=np.bool_)
        return Answers(ref, *nothing, f"{ref} cannot answer these rows: {error.message}")


def _class_order(manifest: Manifest, data: TrainingData) -> list[int]:
    classes = manifest.output.classes
    if manifest.task is not data.task or sorted(classes) != sorted(data.classes):
        raise DataError(f"it predicts {manifest.task} of {', '.join(classes) or 'a number'}, not the same thing")
    return [classes.index(label) for label in data.classes] if classes else [0]


def _unseen(manifest: Manifest, rows: pl.DataFrame, held: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The rows that the release's own rule holds out, and what was asked after all that it learnt from."""
    if manifest.training is None:  # adopted: nobody knows what it learnt from
        return np.zeros(len(held), dtype=np.bool_)
    unseen = apply_split(rows[held], manifest.training.split)
    if ANSWERED in rows.columns:
        later = rows[held].get_column(ANSWERED) >= unseen_since(manifest)
        unseen |= later.fill_null(value=False).to_numpy()
    return unseen
