"""What a release's performance is compared with: its own figure when it was sealed, or that of an earlier time."""

from __future__ import annotations

import polars as pl

from mainspring.domain.measurement import Window
from mainspring.domain.monitor import named_window
from mainspring.monitoring.drift.reference import season
from mainspring.monitoring.judgement import Figure
from mainspring.monitoring.look import Look
from mainspring.monitoring.performance.figures import figure_of, figures_of
from mainspring.monitoring.performance.labelled import labelled
from mainspring.monitoring.performance.release_rows import release_rows


def reference_figure(look: Look, metric: str) -> Figure | None:
    """The metric over the reference that the monitor names; `None` where it has too few labels to be measured.

    Of an earlier time, over the answers of the same release.

    Raises:
        DeclarationError: the reference is no past time.
    """
    windows = _windows(look)
    if not windows:
        return figure_of(look.manifest.metrics.get(metric))
    rows = pl.concat([look.context.joined(window) for window in windows], how="diagonal_relaxed")
    known = labelled(release_rows(look.context, rows, look.manifest.number), look.manifest)
    if len(known.truth) < look.monitor.min_rows:
        return None
    figure = figures_of(known, [metric])[metric]
    return None if figure.value is None else figure


def _windows(look: Look) -> list[Window]:
    """The earlier times; none where the sealed figure is meant."""
    window, reference = look.window, look.monitor.reference
    if reference == "release":
        return []
    if reference == "previous":
        return [Window(window.start - window.length, window.start)]
    return season(window) if reference == "season" else [named_window(reference)]
