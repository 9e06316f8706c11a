from dataclasses import replace
from pathlib import Path

import polars as pl

from mainspring.domain.measurement import State
from mainspring.domain.monitor import Monitor
from mainspring.domain.schema import Kind
from mainspring.monitoring.performance.performance import performance
from mainspring.monitoring.performance.release_rows import release_rows
from mainspring.testing.watched import DAY, FIELDS, T0, Watched, day


def test_an_input_that_changed_its_kind_is_found_where_the_log_keeps_it(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(300)
    watched.manifests[2] = replace(
        watched.release(2), inputs=(FIELDS[0], replace(FIELDS[1], kind=Kind.INTEGER, categories=None))
    )
    watched.folders[2] = watched.folders[1]
    log = watched.answer(300, label_share=0).with_columns(
        pl.col("id") + "x", pl.lit(2, pl.Int32).alias("release"), pl.lit(7, pl.Int64).alias("integer_input_device")
    )
    watched.tables.record("predictions/shop", log.drop("input_device"), partition="day", offsets={})
    context = watched.context(T0 + 2 * DAY)
    rows = context.joined(day())
    first, second = (release_rows(context, rows, number) for number in (1, 2))
    assert set(first["input_device"].to_list()) == {"phone", "tv"}
    assert (second.height, second["input_device"].to_list()[0]) == (300, 7)
    assert "integer_input_device" not in second.columns


def test_a_column_that_is_not_logged_is_said_and_hinders_nothing_else(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.answer(1000)
    found = performance(
        watched.context(T0 + 2 * DAY), Monitor.performance("roc_auc", margin=0.1, by="colour"), day()
    )
    assert found[0].state is State.FINE
    assert found[1].state is State.UNKNOWN
    assert found[1].note.startswith("'colour', by which it is sliced, is no input in the prediction log")
