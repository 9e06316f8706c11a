"""The rows that a release was judged on, as monitors compare with them: by slice, and with answers of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from mainspring.data.profiling import add_rows, profile_of
from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.release import Manifest
from mainspring.monitoring.hours.slices import slice_text, slice_texts
from mainspring.release.reference_profile import prediction_kinds, prediction_rows
from mainspring.release.reference_rows import OUTPUTS, read_reference_rows
from mainspring.stats.profile import Profile


@dataclass(frozen=True, slots=True)
class SealedSample:
    """Rows that the release did not learn from.

    Attributes:
        rows: how many.
        inputs: of those that are kept: no texts, ids or personal columns.
        prediction: what the release answers on them.
    """

    rows: int
    inputs: Profile
    prediction: Profile


def sealed_inputs(folder: Path, manifest: Manifest) -> pl.DataFrame | None:
    """The inputs of the sealed rows under their own names; `None` of a release that has none."""
    rows = read_reference_rows(folder, manifest)
    return None if rows is None else pl.DataFrame(_inputs(rows, manifest))


def sealed_sample(folder: Path, manifest: Manifest, slice: Mapping[str, str]) -> SealedSample | None:  # noqa: A002
    """The sketches of the sealed rows of a slice (of all for an empty one); `None` of a release that has none.

    The slice is cut as those of the prediction log are; where it names a column that is not kept, it has no rows.

    Raises:
        TamperedRelease: the rows are not those that were sealed.
    """
    rows = read_reference_rows(folder, manifest)
    if rows is None:
        return None
    fields = {field.name: field for field in manifest.inputs if INPUT_PREFIX + field.name in rows.columns}
    if not fields.keys() >= slice.keys():
        rows = rows.clear()
    elif slice:
        by = {name: (INPUT_PREFIX + name, fields[name]) for name in sorted(slice)}
        rows = rows.filter(slice_texts(rows, by) == slice_text(slice))
    inputs = profile_of(pl.DataFrame(_inputs(rows, manifest)), list(fields.values()))
    prediction = Profile(prediction_kinds(manifest.output))
    if rows.height:
        outputs = np.array(rows.get_column(OUTPUTS).to_list(), dtype=np.float64)
        add_rows(prediction, prediction_rows(outputs, manifest.output))
    return SealedSample(rows.height, inputs, prediction)


def _inputs(rows: pl.DataFrame, manifest: Manifest) -> list[pl.Series]:
    return [
        rows.get_column(INPUT_PREFIX + field.name).alias(field.name)
        for field in manifest.inputs
        if INPUT_PREFIX + field.name in rows.columns
    ]
