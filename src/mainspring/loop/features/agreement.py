"""Computes the features of logged answers anew from history, and compares: what training sees, and serving saw.

A feature agrees where both are missing, where texts, booleans and times are equal, and where numbers differ by no
more than 1e-9 of the greater. A value that a request brought along is judged like one that was looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import polars as pl

from mainspring.data.columns import values_of
from mainspring.data.parsing import DTYPES
from mainspring.domain.agreement import Disagreement, ViewAgreement
from mainspring.domain.feature_view import FeatureView
from mainspring.domain.input_columns import input_columns
from mainspring.domain.measurement import Window
from mainspring.domain.prediction_log import Role, predictions_table
from mainspring.domain.release import InputField, Manifest, ViewInput
from mainspring.domain.schema import Kind
from mainspring.project import Project
from mainspring.workspace import Workspace

if TYPE_CHECKING:
    from mainspring.features.rows import Offline

ROWS = 1_000
"""So many answers of a window are computed anew; a uniform sample where there are more."""

_TOLERANCE = 1e-9
_SHOWN = 10
_AT = "__at"
_LOGGED = "__logged:"  # before the names of the log's columns, that they meet no others


def recompute(
    workspace: Workspace, project: Project, manifest: Manifest, window: Window, *, rows: int = ROWS
) -> tuple[ViewAgreement, ...]:
    """How well the features that a release answered with agree with what its views give as of then.

    The views' sources are read as they are now: what came since belongs to no answer of the past, unless it says
    that it was known then.

    Args:
        window: of the answers; live ones alone.
        rows: so many of them at most.

    Raises:
        DataError: a view's source cannot be read.
        FeatureError: a function of the user's failed.
    """
    if not manifest.views:
        return ()
    sample = _sample(workspace, manifest, window, rows)
    offline = workspace.offline(project)
    return tuple(_of_view(sample, manifest, view, project, offline) for view in manifest.views)


def _sample(workspace: Workspace, manifest: Manifest, window: Window, rows: int) -> pl.DataFrame:
    """Columns `id`, `at`, and the inputs and keys by their own names where the log has them in clear."""
    table = predictions_table(manifest.model)
    fields = [field for field in manifest.logged if field.personal is None]
    if not workspace.tables.exists(table):
        return pl.DataFrame(schema={"id": pl.String(), "at": DTYPES[Kind.TIME]})
    places = input_columns(workspace.tables.columns(table), manifest.logged)
    at, day = pl.col("at"), pl.col("day")
    log: pl.LazyFrame = workspace.tables.scan(table)
    log = log.filter(day >= window.start.date(), day <= window.end.date(), at >= window.start, at < window.end)
    log = log.filter(pl.col("release") == manifest.number, pl.col("role") != Role.SHADOW)
    chosen = log.select("id").collect().get_column("id").unique()
    if chosen.len() > rows:
        chosen = chosen.gather(chosen.hash(seed=0).arg_sort().head(rows))
    named = {field.name: places[field.name][0] for field in fields if field.name in places}
    columns = log.collect_schema().names()
    found = log.filter(pl.col("id").is_in(chosen.implode())).collect().unique("id", keep="first").sort("at", "id")
    kept = [found.get_column("id"), found.get_column("at").cast(DTYPES[Kind.TIME])]
    kinds = {field.name: DTYPES[field.kind] for field in fields}
    kept += [
        found.get_column(place).cast(kinds[name]).alias(f"{_LOGGED}{name}")
        for name, place in named.items()
        if place in columns
    ]
    return pl.DataFrame(kept)


def _of_view(
    sample: pl.DataFrame, manifest: Manifest, view: ViewInput, project: Project, offline: Offline
) -> ViewAgreement:
    from mainspring.features.history import history

    declared = project.views.get(view.view)
    compared = [name for name in view.features.values() if f"{_LOGGED}{name}" in sample.columns]
    why = _why_not(sample, manifest, view, declared, compared)
    if why is not None or declared is None:
        return ViewAgreement(view.view, manifest.number, rows=0, agreeing=0, note=why or "")
    taken = offline.take(declared)
    if offline.definition(declared, taken).id != view.id:
        note = f"the view of {manifest.ref} was defined otherwise than in model.py now"
        return ViewAgreement(view.view, manifest.number, rows=0, agreeing=0, note=note)
    keys = [values_of(sample, f"{_LOGGED}{key.name}").alias(key.name) for key in view.keys]
    asked = pl.DataFrame([*keys, values_of(sample, "at").alias(_AT)])
    features = {column: feature for feature, column in view.features.items()}
    refs = [declared[features[name]] for name in compared]
    again = history(asked, refs, offline, time=_AT, taken={declared.name: taken})
    agrees = {name: _agree(values_of(sample, f"{_LOGGED}{name}"), values_of(again, name)) for name in compared}
    whole = reduce(and_, agrees.values())
    left_out = len(view.features) - len(compared)
    return ViewAgreement(
        view.view,
        manifest.number,
        rows=sample.height,
        agreeing=int(whole.sum()),
        worst=_worst(sample, again, agrees, manifest.number),
        note=f"{left_out} of its features are not in the prediction log in clear" if left_out else "",
    )


def _why_not(
    sample: pl.DataFrame,
    manifest: Manifest,
    view: ViewInput,
    declared: FeatureView | None,
    compared: Sequence[str],
) -> str | None:
    """Why nothing of the view can be computed anew."""
    if not sample.height:
        return f"{manifest.ref} answered nothing in this time"
    if declared is None:
        return f"model.py declares no view {view.view!r}"
    for key in view.keys:
        if f"{_LOGGED}{key.name}" not in sample.columns:
            return f"the key {key.name!r} is not in the prediction log{_personal(key, manifest)}"
    if not compared:
        return "none of its features is in the prediction log in clear"
    return None


def _personal(key: InputField, manifest: Manifest) -> str:
    logged = next((field for field in manifest.logged if field.name == key.name), key)
    return " in clear: it is personal" if logged.personal is not None else ""


def _agree(answered: pl.Series, again: pl.Series) -> pl.Series:
    """Whether each is the same."""
    if not (answered.dtype.is_numeric() and again.dtype.is_numeric()):
        return answered.eq_missing(again.cast(answered.dtype, strict=False))
    one, other = answered.cast(pl.Float64), again.cast(pl.Float64)
    greatest = pl.DataFrame([one.abs().alias("a"), other.abs().alias("b")]).max_horizontal()
    near = ((one - other).abs() <= _TOLERANCE * greatest) | (one == other)
    return near.fill_null(value=False) | (one.is_null() & other.is_null())


def _worst(
    sample: pl.DataFrame, again: pl.DataFrame, agrees: dict[str, pl.Series], release: int
) -> tuple[Disagreement, ...]:
    """Those that are off most: numbers by their difference in parts of the greater, all else counts as one."""
    found: list[tuple[float, Disagreement]] = []
    ids, moments = sample.get_column("id"), sample.get_column("at")
    for name, agreeing in agrees.items():
        answered, other = values_of(sample, f"{_LOGGED}{name}"), values_of(again, name)
        for place in (~agreeing).arg_true().to_list():
            one = Disagreement(ids[place], moments[place], release, name, answered[place], other[place])
            found.append((_off(one.answered, one.recomputed), one))
    found.sort(key=lambda pair: (-pair[0], pair[1].prediction, pair[1].feature))
    return tuple(one for _, one in found[:_SHOWN])


def _off(answered: object, again: object) -> float:
    """How far two values are apart.

    Examples:
        >>> _off(1.0, 4.0), _off(None, 2.0), _off("a", "b")
        (0.75, 1.0, 1.0)
    """
    if isinstance(answered, int | float) and isinstance(again, int | float):
        greatest = max(abs(answered), abs(again))
        return abs(answered - again) / greatest if greatest else 0.0
    return 1.0
