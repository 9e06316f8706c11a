"""A model with a known law whose answers and labels are written at once, for tests of what watches it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.labels import DTYPES, LABEL_SCHEMA
from mainspring.domain.ids import digest_bytes
from mainspring.domain.measurement import Window
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.domain.release import InputField, Manifest, OutputSpec
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.domain.verdict import Estimate
from mainspring.monitoring.context import Context
from mainspring.release.reference_profile import PROFILE, reference_profile
from mainspring.release.reference_rows import REFERENCE_ROWS, encode_reference_rows
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.releases import a_manifest
from mainspring.training.metrics import measure_all

Floats = NDArray[np.float64]

T0 = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CLASSES = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("bronze", "gold", "silver"), Task.REGRESSION: ()}
FIELDS = (
    InputField("age", Kind.NUMBER, minimum=-4.0, maximum=4.0),
    InputField("device", Kind.CATEGORY, categories=("phone", "tv")),
)
_SCHEMA = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}


class Watched:
    """The model `shop` in a folder of its own.

    The truth depends on `age`, a standard normal number; `device` is `phone` in six rows of ten and `tv` in the
    others, and changes nothing. A release answers with the true law, unless it is made worse.

    Args:
        reference_rows: that each release keeps; 0 for a release that was sealed before there were any.
    """

    def __init__(self, root: Path, task: Task = Task.BINARY, reference_rows: int = 4000, seed: int = 0) -> None:
        self.task = task
        self.tables = DeltaTables(str(root / "tables"))
        self.manifests: dict[int, Manifest] = {}
        self.folders: dict[int, Path] = {}
        self._root = root
        self._random = np.random.default_rng(seed)
        self._reference_rows = reference_rows
        self._noise: dict[int, float] = {}
        self._unsure: dict[int, float] = {}
        self._count = 0
        self.release(1)

    @property
    def positive(self) -> int | None:
        return 1 if self.task is Task.BINARY else None

    def release(self, number: int, *, noise: float = 0.0, moved: float = 0.0, unsure: float = 0.0) -> Manifest:
        """Seal one more.

        Args:
            noise: makes its answers worse; standard deviations of the score.
            moved: of the law, in the later half of the rows that it keeps.
            unsure: how far its chances lie on the way to those of a guess.
        """
        classes, output = CLASSES[self.task], OutputSpec(self.task, CLASSES[self.task])
        if self.task is Task.BINARY:
            output = replace(output, positive="yes")
        self._noise[number], self._unsure[number] = noise, unsure
        rows = self.rows(max(self._reference_rows, 2000))
        outputs, half = self.outputs(rows, number), rows.height // 2
        truth = np.concatenate([self.truth(rows[:half]), self.truth(rows[half:], moved=moved)])
        numbers = np.array([classes.index(label) for label in truth]) if classes else truth
        metrics = measure_all(outputs, numbers, task=self.task, positive=self.positive)
        known = pl.Series(truth, dtype=pl.String) if classes else pl.Series(truth)
        profile = reference_profile(lambda part: self.outputs(part, number), rows, FIELDS, None, output)
        files = {PROFILE: profile, REFERENCE_ROWS: encode_reference_rows(rows, FIELDS, outputs, known)}
        if not self._reference_rows:
            del files[REFERENCE_ROWS]
        folder = self._root / "releases" / str(number)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        manifest = a_manifest(
            model="shop",
            number=number,
            task=self.task,
            inputs=FIELDS,
            output=output,
            files={name: digest_bytes(content) for name, content in files.items()},
            metrics={
                name: Estimate(value, value - 0.01, value + 0.01, rows.height) for name, value in metrics.items()
            },
        )
        self.manifests[number], self.folders[number] = manifest, folder
        return manifest

    def rows(self, count: int, *, shift: float = 0.0) -> pl.DataFrame:
        """Inputs; `shift` moves `age`."""
        random = self._random
        return pl.DataFrame(
            {"age": random.normal(shift, 1, count), "device": random.choice(["phone", "tv"], count, p=[0.6, 0.4])}
        )

    def truth(self, rows: pl.DataFrame, *, moved: float = 0.0) -> Any:
        """What comes true of these rows; `moved` moves the law."""
        age, random = rows.get_column("age").to_numpy() + moved, self._random
        if self.task is Task.REGRESSION:
            return 10 + 2 * age + random.normal(0, 0.5 + 0.5 * np.abs(age))
        probabilities = _law(age, self.task)
        drawn = (np.cumsum(probabilities, axis=1) < random.random(age.size)[:, None]).sum(axis=1)
        return np.array(CLASSES[self.task], dtype=object)[np.minimum(drawn, probabilities.shape[1] - 1)]

    def outputs(self, rows: pl.DataFrame, release: int) -> Floats:
        """What a release answers [n, k]."""
        age = rows.get_column("age").to_numpy()
        age = age + self._noise[release] * np.random.default_rng(release).normal(size=age.size)
        if self.task is Task.REGRESSION:
            return (10 + 2 * age)[:, None]
        chances = _law(age, self.task)
        mixed: Floats = chances + self._unsure[release] * (1 / chances.shape[1] - chances)
        return mixed

    def answer(
        self,
        count: int,
        start: datetime = T0,
        length: timedelta = DAY,
        *,
        release: int = 1,
        role: str = "champion",
        arm: str | None = None,
        shift: float = 0.0,
        moved: float = 0.0,
        label_share: float = 1.0,
        label_delay: timedelta = HOUR,
        shadow: int | None = None,
        latency_us: Any = 1000,
        labels: Any = None,
        outcome: tuple[str, Any] | None = None,
    ) -> pl.DataFrame:
        """Log `count` answers, evenly over the time, and the labels of a share of them.

        Args:
            shift: of `age`; `moved`: of the law.
            shadow: a release that answered the same rows unheard.
            labels: in place of the true ones.
            outcome: name and values of a business outcome.
        """
        rows = self.rows(count, shift=shift)
        at = [start + length * (place / count) for place in range(count)]
        ids = [f"r{self._count + place}" for place in range(count)]
        self._count += count
        log = self._log(rows, ids, at, release, role, arm, latency_us)
        self._record("predictions/shop", log)
        if shadow is not None:
            self._record("predictions/shop", self._log(rows, ids, at, shadow, "shadow", None, latency_us))
        truth = self.truth(rows, moved=moved) if labels is None else np.array(labels)
        said = np.flatnonzero(self._random.random(count) < label_share)
        self.say([f"{ids[place]}/0" for place in said], truth[said], [at[place] + label_delay for place in said])
        if outcome is not None:
            self.say(
                [f"{one}/0" for one in ids], np.array(outcome[1]), [one + label_delay for one in at], outcome[0]
            )
        return log

    def say(self, ids: list[str], truth: Any, at: list[datetime], name: str = "label") -> None:
        """Labels, or outcomes, as they were received."""
        is_class = bool(CLASSES[self.task]) and name == "label"
        frame = pl.DataFrame(
            {
                "day": [one.date() for one in at],
                "feedback_id": [f"f-{name}-{one}" for one in ids],
                "prediction_id": ids,
                "key": [None] * len(ids),
                "name": [name] * len(ids),
                "label": [str(one) for one in truth] if is_class else [None] * len(ids),
                "value": [None] * len(ids) if is_class else [float(one) for one in truth],
                "happened_at": [None] * len(ids),
                "at": at,
            },
            schema=LABEL_SCHEMA,
        )
        if frame.height:
            self._record("labels/shop", frame)

    def context(self, now: datetime, **changes: Any) -> Context:
        """A look at this time; release 1 is the champion."""
        given = {"model": "shop", "tables": self.tables, "now": now, "champion": 1}
        return Context(**given | {"manifests": self.manifests, "folders": self.folders} | changes)  # type: ignore[arg-type]

    def _log(
        self,
        rows: pl.DataFrame,
        ids: list[str],
        at: list[datetime],
        release: int,
        role: str,
        arm: str | None,
        latency_us: Any,
    ) -> pl.DataFrame:
        outputs, output = self.outputs(rows, release), self.manifests[release].output
        count = rows.height
        answers = output.decide_all(outputs.tolist())
        values = outputs[:, 0] if not output.classes else outputs[:, 1 if self.positive else 0]
        return pl.DataFrame(
            {
                "day": [one.date() for one in at],
                "id": [f"{one}/0" for one in ids],
                "request_id": ids,
                "row": [0] * count,
                "at": at,
                "release": [release] * count,
                "role": [role] * count,
                "arm": [arm] * count,
                "key": [None] * count,
                "latency_us": np.broadcast_to(latency_us, count).tolist(),
                "prediction": answers if output.classes else [None] * count,
                "value": values.tolist(),
                "outputs": outputs.tolist(),
            },
            schema=_SCHEMA,
        ).with_columns(rows.get_column("age").alias("input_age"), rows.get_column("device").alias("input_device"))

    def _record(self, table: str, frame: pl.DataFrame) -> None:
        self.tables.record(table, frame, partition="day", offsets={})


def day(number: int = 0) -> Window:
    """The day of this number."""
    return Window(T0 + number * DAY, T0 + (number + 1) * DAY)


def _law(age: Floats, task: Task) -> Floats:
    """The chance of each class [n, k]."""
    if task is Task.BINARY:
        chance = 1 / (1 + np.exp(-2 * age))
        return np.column_stack([1 - chance, chance])
    scores = np.exp(np.column_stack([-2 * age, 2 * age, np.zeros(age.size)]))
    shares: Floats = scores / scores.sum(axis=1, keepdims=True)
    return shares
