"""The share of unusual requests in a window, and the most unusual of them."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from mainspring.domain.measurement import Measurement, Window
from mainspring.domain.monitor import Monitor
from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.monitoring.context import Context
from mainspring.monitoring.drift.outlier_score import UNUSUAL, OutlierScore
from mainspring.monitoring.judgement import CONFIDENCE, Figure, judge, surety
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.release_rows import release_rows
from mainspring.release.files import read_verified
from mainspring.release.reference_profile import PROFILE
from mainspring.release.reference_rows import spread_places
from mainspring.stats.profile import Profile
from mainspring.stats.proportions import wilson_interval

SUBJECT = "unusual requests"
EXPECTED = 10**-UNUSUAL  # the share of them among rows like those of training, at most
BAR = 3 * EXPECTED


def outliers(context: Context, monitor: Monitor, window: Window) -> list[Measurement]:
    """How many of the champion's requests are so unusual that one in a hundred like those of training is.

    It looks at the sample that is kept of each hour, so the log is not read.
    """
    look = Look(context, monitor, window, release=context.champion)
    manifest = look.manifest
    if PROFILE not in manifest.files:
        return [look.unknown(f"{manifest.ref} was sealed without {PROFILE}", subject=SUBJECT)]
    drawn = context.sample(window, release=context.champion)
    rows = release_rows(context, drawn, context.champion) if drawn.height else drawn
    if rows.height < monitor.min_rows:
        note = f"{rows.height:,} answers, and {monitor.min_rows:,} are needed"
        return [look.unknown(note, subject=SUBJECT, rows=rows.height)]
    score = outlier_score(look)
    if not score.names:
        return [look.unknown("no input is one of which it can be said how usual it is", subject=SUBJECT)]
    taken = rows[spread_places(rows.height)]
    found = score(taken, INPUT_PREFIX)
    hits = int((found.scores >= UNUSUAL).sum())
    low, high = wilson_interval(hits, taken.height, CONFIDENCE)
    figure = Figure(hits / taken.height, low, high, taken.height)
    state, note = judge(figure, BAR, greater_is_better=False, surety=surety(monitor))
    oddest = int(np.argmax(found.scores))
    feature = found.names[int(found.places[oddest])]
    return [
        look.found(
            state,
            subject=SUBJECT,
            reference=EXPECTED,
            bar=BAR,
            method="tail chance",
            note="; ".join(text for text in (f"{hits:,} of {taken.height:,} requests", note) if text),
            example={
                "prediction": taken.get_column("id")[oddest],
                "feature": feature,
                "value": _plain(taken.get_column(INPUT_PREFIX + feature)[oddest]),
                "score": round(float(found.scores[oddest]), 2),
            },
            **figure.facts,
        )
    ]


def outlier_score(look: Look) -> OutlierScore:
    """The score by the sealed profile of the release that is looked at."""
    manifest = look.manifest
    content = read_verified(look.context.folders[manifest.number], manifest, PROFILE)
    return OutlierScore(Profile.from_dict(msgspec.json.decode(content)["inputs"]), manifest.inputs)


def _plain(value: object) -> object:
    """As JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | str | int) else str(value)
