"""The answers of an A/B test, by group: how many, from how many keys, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import numpy as np
import polars as pl

from mainspring.data.predictions import OUTCOME_PREFIX, predictions
from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.release import OutputSpec
from mainspring.domain.rollout import CLASS_METRICS, NUMBER_METRICS
from mainspring.domain.task import Task
from mainspring.loop.ab.figures import Figure
from mainspring.loop.evidence.row_losses import MOST, logged_outputs, losses, truth_of

_DAY = timedelta(days=1)
_COLUMNS = ("request_id", "row", "release", "arm", "key", "outputs", "label", "label_value")
NO_ARM = "no arm"
"""The name of the group of all who are in no arm; no arm can have it."""
PER_ANSWER = " per answer"
"""Of an outcome that is not said of every answer: with 0 for those of which nothing was said."""


@dataclass(slots=True)
class Group:
    """What one group answered.

    Attributes:
        name: of the arm, or `NO_ARM`.
        releases: the numbers of those that answered.
        labelled: answers of which the truth is known.
        figures: by their names.
        outcomes: of how many answers each business outcome was said.
    """

    name: str
    releases: set[int] = field(default_factory=set)
    answers: int = 0
    labelled: int = 0
    figures: dict[str, Figure] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    _units: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.UInt64))

    @property
    def units(self) -> int:
        """Different keys (else requests) that were assigned to it."""
        return len(self._units)

    def add(self, rows: pl.DataFrame, outputs: Mapping[int, OutputSpec], outcomes: Sequence[str]) -> None:
        """Take in answers, with a number of the key in `unit`."""
        units = rows.get_column("unit")
        self._units = pl.concat([self._units, units]).unique()
        self.answers += rows.height
        self.releases |= set(rows.get_column("release").unique().to_list())
        for name in outcomes:
            said = rows.get_column(OUTCOME_PREFIX + name).cast(pl.Float64)
            self.outcomes[name] = self.outcomes.get(name, 0) + said.count()
            self._figure(name).add(said.fill_null(float("nan")).to_numpy(), units.to_numpy())
            self._figure(name + PER_ANSWER).add(said.fill_null(0.0).to_numpy(), units.to_numpy())
        for number, output in outputs.items():
            own = rows.filter(pl.col("release") == number)
            if not own.height:
                continue
            truth = truth_of(own, output)
            self.labelled += int(np.isfinite(truth).sum())
            answered = logged_outputs(own, "outputs", output)
            for metric in NUMBER_METRICS if output.task is Task.REGRESSION else CLASS_METRICS:
                found = losses(metric, answered, truth, output)
                self._figure(metric).add(found, own.get_column("unit").to_numpy())

    def _figure(self, name: str) -> Figure:
        if name not in self.figures:
            self.figures[name] = Figure((0.0, MOST[name]) if name in MOST else None)
        return self.figures[name]


def gather_groups(
    tables: Tables,
    model: str,
    arms: Sequence[str],
    outputs: Mapping[int, OutputSpec],
    *,
    since: datetime,
    until: datetime,
) -> list[Group]:
    """The groups in the order of the arms, and last those in no arm; a day of answers is in memory at a time.

    Args:
        outputs: what each release answers, by its number.
    """
    groups = {name: Group(name) for name in (*arms, NO_ARM)}
    table = predictions_table(model)
    days = [day for day, _ in sorted(tables.partitions(table).items())] if tables.exists(table) else []
    for day in days:
        start = datetime.combine(datetime.fromisoformat(day), time(), UTC)
        if start + _DAY <= since or start >= until:
            continue
        rows = predictions(tables, model, since=max(start, since), until=min(start + _DAY, until)).filter(
            pl.col("role").is_in([str(Role.ARM), str(Role.CHAMPION)])
        )
        names = rows.collect_schema().names()
        outcomes = [name.removeprefix(OUTCOME_PREFIX) for name in names if name.startswith(OUTCOME_PREFIX)]
        found = rows.select(*_COLUMNS, *(OUTCOME_PREFIX + name for name in outcomes)).collect()
        found = found.with_columns(_unit(found))
        for (arm,), part in found.group_by("arm"):
            name = NO_ARM if arm is None else str(arm)
            if name in groups:
                groups[name].add(part, outputs, outcomes)
    return list(groups.values())


def _unit(rows: pl.DataFrame) -> pl.Expr:
    """A number of what was assigned: the key of a request's first row, else the request."""
    key = pl.col("key")
    if (rows.get_column("row") > 0).any():
        key = key.sort_by("row").first().over("request_id")
    return pl.coalesce(key, pl.col("request_id")).hash().alias("unit")
