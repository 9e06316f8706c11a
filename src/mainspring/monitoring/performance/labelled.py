"""Answers beside the truth, as arrays that metrics take; what makes no sense is left out and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.domain.release import Manifest, OutputSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """n answers of one release whose truth is known.

    Attributes:
        rows: of the join of predictions and labels, n of them.
        outputs: float64 [n, k].
        truth: class numbers or values [n].
        answered: how many answers there are, with or without a label.
        strange: labels that are none of the release's classes, or no number.
    """

    rows: pl.DataFrame
    outputs: Floats
    truth: NDArray[Any]
    output: OutputSpec
    answered: int
    strange: int = 0

    @property
    def share(self) -> float:
        """Of the answers, with a label."""
        return len(self.truth) / self.answered if self.answered else 0.0

    @property
    def positive(self) -> int | None:
        """The number of the class that counts as positive."""
        return None if self.output.positive is None else self.output.classes.index(self.output.positive)

    def at(self, places: NDArray[np.int64]) -> Labelled:
        """These rows alone."""
        size = int(places.size)
        return Labelled(self.rows[places], self.outputs[places], self.truth[places], self.output, size)

    @property
    def odd(self) -> str:
        """What was left out, in words; empty where nothing was."""
        kind = "are no class of the release" if self.output.classes else "are no number"
        return f"{self.strange:,} labels {kind} and were left out" if self.strange else ""


def answers_of(rows: pl.DataFrame, output: OutputSpec) -> tuple[pl.DataFrame, Floats]:
    """The rows whose outputs are as many numbers as the release gives, all finite; and these [n, k]."""
    width = len(output.classes) or 1
    whole = rows.filter(pl.col("outputs").list.len() == width)
    flat = np.empty(0)
    if whole.height:  # of no rows, Polars makes one
        flat = whole.get_column("outputs").explode().cast(pl.Float64).fill_null(float("nan")).to_numpy()
    outputs = flat.reshape(whole.height, width)
    finite = np.isfinite(outputs).all(axis=1)
    return whole.filter(pl.Series(finite, dtype=pl.Boolean)), outputs[finite]


def labelled(rows: pl.DataFrame, manifest: Manifest) -> Labelled:
    """What is known of a release's answers.

    Args:
        rows: of the join of predictions and labels, those that this release answered.
    """
    output = manifest.output
    whole, outputs = answers_of(rows, output)
    if output.classes:
        numbers = {name: number for number, name in enumerate(output.classes)}
        said = whole.get_column("label")
        values = said.replace_strict(numbers, default=None, return_dtype=pl.Int64)
        some = said.is_not_null() | whole.get_column("label_value").is_not_null()
    else:
        values = whole.get_column("label_value").cast(pl.Float64)
        some = values.is_not_null() | whole.get_column("label").is_not_null()
        values = values.set(~values.is_finite().fill_null(value=False), None)
    known = values.is_not_null()
    return Labelled(
        rows=whole.filter(known),
        outputs=outputs[known.to_numpy()],
        truth=values.drop_nulls().to_numpy(),
        output=output,
        answered=rows.height,
        strange=int((some & ~known).sum()),
    )


def predicted_of(outputs: Floats, output: OutputSpec) -> NDArray[np.int64]:
    """The numbers of the predicted classes [n]."""
    from mainspring.release.labels import predicted_classes

    return predicted_classes(outputs, output)
