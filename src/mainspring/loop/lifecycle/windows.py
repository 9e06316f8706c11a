"""Which rows a retraining holds out, which windows of the others it tries, and whose parameters it keeps.

Where production has taught something, the newest rows decide. Held out is the newest share of the rows since the
change that started the run; where none did, or too few rows have come since, of the rows from production. A share
of all rows would keep back just those from which the new state of things is to be learnt.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from mainspring.data.columns import HARMLESS, values_of
from mainspring.data.labelled_rows import ANSWERED
from mainspring.data.target import class_name, rows_with_target
from mainspring.domain.instants import microseconds, moment_of
from mainspring.domain.release import Manifest, ReleaseRef
from mainspring.domain.retrain import FIRST_SIZE
from mainspring.domain.trigger import Trigger, TriggerKind
from mainspring.training.dataset import moments
from mainspring.training.windows import WindowPlan, newest_cut

if TYPE_CHECKING:
    from mainspring.domain.model import Model
    from mainspring.loop.lifecycle.resolution import ResolvedModel

_FEWEST = 250  # rows since a moment: a share of 20 % of them leaves 50 to be judged by
_SEARCHED = (TriggerKind.BY_HAND, TriggerKind.SCHEDULE)


def retraining_split(
    rows: pl.DataFrame, model: Model, resolved: ResolvedModel, change: datetime | None
) -> dict[str, Any] | None:
    """The rule that holds out the newest rows; `None` where the model's own does: nothing came from production.

    Args:
        rows: of the run, with `__answered_at` where some came from production.
        change: since when the rows are different, where that started the run.

    Returns:
        As `training.splitting.Holdout.split`, and as `since` from when on rows were counted.
    """
    if ANSWERED not in rows.columns and change is None:
        return None
    known, _ = rows_with_target(rows, resolved.target)
    when = moments(known, resolved.time)
    if when is None:
        return None
    target = values_of(known, resolved.target).cast(pl.String).rank("dense").to_numpy()
    temporal = resolved.time is not None and known.get_column(resolved.time).dtype.is_temporal()
    for since in _beginnings(known, when, change):
        cut = newest_cut(when, model.holdout, since)
        if cut is None or (resolved.task.is_classification and not _can_be_judged(target, when >= cut)):
            continue
        by_time = {"kind": "time", "column": resolved.time} if temporal else {"kind": "answered"}
        return {**by_time, "cut": cut, "share": model.holdout, "since": since}
    return None


def window_plan(
    model: Model, split: dict[str, Any] | None, change: datetime | None, first_size: int | None
) -> WindowPlan | None:
    """The windows that the model declares; `None` where it declares no `Retrain`.

    Args:
        first_size: the rows of the first release; without it the window that is called so is none.
    """
    if model.retrain is None:
        return None
    since = None if split is None else split.get("since")
    size = () if first_size is None else (f"{first_size} rows",)
    windows = [one for name in model.retrain.windows for one in (size if name == FIRST_SIZE else (name,))]
    return WindowPlan(tuple(windows), None if change is None else microseconds(change), since)


def rows_of_first(first: Manifest | None) -> int | None:
    """Of how many rows the first release was made; `None` where there is none, or nobody here has trained it."""
    training = None if first is None else first.training
    return None if training is None else training.rows_trained + training.rows_holdout


def kept_parameters_of(
    champion: Manifest | None, resolved: ResolvedModel, code_digest: str, trigger: Trigger | None
) -> ReleaseRef | None:
    """The champion, where its parameters are to be kept: what started the run asks for new rows, not for a search.

    A person who trains, and a schedule, search anew: nobody waits for it. An alert, new labels and new data
    retrain with what has proved itself, in a fraction of the time: what is best changes slowly, and it is the rows
    that tell of a new state of things. Other code or other features are searched in any case.
    """
    if trigger is None or trigger.kind in _SEARCHED or champion is None or champion.training is None:
        return None
    features = tuple(field.name for field in champion.inputs)
    same = champion.code_digest == code_digest and features == resolved.asked
    return champion.ref if same else None


def kept_positive(champion: Manifest | None, target: pl.Series) -> str | None:
    """The champion's positive class, where the target still has it."""
    if champion is None or champion.output.positive is None:
        return None
    classes = {class_name(value) for value in target.alias(HARMLESS).drop_nulls().unique().to_list()}
    return champion.output.positive if champion.output.positive in classes else None


def unseen_since(manifest: Manifest) -> datetime:
    """From which moment on a release has learnt from no answer: what it was not asked before its own cut.

    Of a release that learnt from no answers, and of one that was adopted: when it was sealed.
    """
    split = manifest.training.split if manifest.training is not None else {}
    if len(manifest.snapshots) > 1 and "since" in split:
        return moment_of(int(split["cut"]))
    return manifest.created_at


def _beginnings(rows: pl.DataFrame, when: Any, change: datetime | None) -> Iterator[int]:
    """From when on rows may be counted, the most telling first: where enough have come since."""
    if change is not None and int((when >= microseconds(change)).sum()) >= _FEWEST:
        yield microseconds(change)
    if ANSWERED in rows.columns:
        asked = rows.get_column(ANSWERED).is_not_null().to_numpy()
        if asked.sum() >= _FEWEST:
            yield int(when[asked].min())


def _can_be_judged(target: Any, held: Any) -> bool:
    """Whether every class can be learnt, and two of them are judged."""
    return bool(np.isin(np.unique(target), np.unique(target[~held])).all() and np.unique(target[held]).size > 1)
