"""Coverage and delay of labels, over real tables."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mainspring.data.coverage import Coverage, coverage
from mainspring.data.labels import DTYPES, label_frame
from mainspring.domain.feedback import message
from mainspring.domain.prediction_log import PREDICTION_COLUMNS
from mainspring.stores.tables_delta import DeltaTables

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


@pytest.fixture
def tables(tmp_path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "tables"))


def answered(tables: DeltaTables, *ages: int, role: str = "champion") -> None:
    """Predictions `r<age>/0` so many hours before now."""
    rows = [
        {
            "day": (NOW - age * HOUR).date(),
            "id": f"r{age}/0",
            "request_id": f"r{age}",
            "row": 0,
            "at": NOW - age * HOUR,
            "release": 1,
            "role": role,
            "latency_us": 1,
            "prediction": "yes",
            "value": 0.5,
            "outputs": [0.5, 0.5],
        }
        for age in ages
    ]
    schema = {name: DTYPES[kind] for name, kind in PREDICTION_COLUMNS.items()}
    tables.record("predictions/shop", pl.DataFrame(rows, schema=schema), partition="day", offsets={})


def labelled(tables: DeltaTables, age: int, after: float) -> None:
    said = message(prediction_id=f"r{age}/0", key=None, name="label", label="yes", value=None, happened_at=None)
    frame = label_frame([said], NOW - age * HOUR + after * HOUR)
    tables.record("labels/shop", frame, partition="day", offsets={})


def test_a_model_without_predictions_has_no_share(tables):
    found = coverage(tables, "shop", now=NOW, window=WEEK)
    assert found == Coverage(0, 0, 0, None, None)
    assert found.share is None


def test_share_and_delays(tables):
    answered(tables, 1, 10, 20, 30, 40, 400)
    answered(tables, 50, role="shadow")
    for age, after in ((10, 1), (20, 2), (30, -3), (400, 1)):
        labelled(tables, age, after)
    found = coverage(tables, "shop", now=NOW, window=WEEK)
    assert (found.predictions, found.labelled, found.share) == (5, 3, 0.6)
    assert (found.delay_median, found.delay_90) == (3600.0, 7200.0)


def test_predictions_too_young_for_a_label_do_not_count(tables):
    answered(tables, 1, 10, 30)
    labelled(tables, 30, 1)
    assert coverage(tables, "shop", now=NOW, window=WEEK).share == pytest.approx(1 / 3)
    assert coverage(tables, "shop", now=NOW, window=WEEK, label_delay=24 * HOUR).share == 1.0


def test_labels_that_are_not_received_yet_do_not_count(tables):
    answered(tables, 1)
    labelled(tables, 1, 2)
    assert coverage(tables, "shop", now=NOW, window=WEEK).labelled == 0


def test_a_label_that_came_before_the_answer_took_no_time(tables):
    answered(tables, 10, 20, 30)
    for age, after in ((10, -1), (20, -2), (30, 4)):
        labelled(tables, age, after)
    found = coverage(tables, "shop", now=NOW, window=WEEK)
    assert (found.labelled, found.early) == (3, 2)
    assert (found.delay_median, found.delay_90) == (0.0, 4 * 3600.0)
