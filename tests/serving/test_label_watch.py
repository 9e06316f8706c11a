"""Coverage by labels and their delay: counted now and then by the drainer, shown as metrics."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from mainspring.clock import SYSTEM_CLOCK
from mainspring.data.predictions import predictions
from mainspring.serving.counts import Counts
from mainspring.serving.label_watch import LabelWatch
from mainspring.serving.log_metrics import LogFamilies
from mainspring.serving.log_state import LogState, write_state
from mainspring.stores.tables_delta import DeltaTables

from .conftest import ROW, Running, Shop, start


class Ticking:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now()

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Four predictions, of which one has a label."""
    shop = Shop(tmp_path_factory.mktemp("labelled"))
    shop.seal(1)
    shop.promote(1)
    running = start(shop, log={"commit_every": 0.2})
    name = str(uuid.uuid4())
    assert running.request("POST", "/predict/adult", [ROW] * 4, {"x-request-id": name})[0] == 200
    assert running.request("POST", "/feedback/adult", {"prediction_id": f"{name}/2", "label": ">50K"})[0] == 200
    tables = DeltaTables(str(shop.root / "tables"))
    running.wait_until(lambda: all(tables.exists(f"{kind}/adult") for kind in ("predictions", "labels")))
    running.wait_until(lambda: predictions(tables, "adult").select(pl.col("label").count()).collect().item() == 1)
    yield running
    running.stop()
    shop.records.close()


def test_labels_are_counted_now_and_then(labelled: Running, tmp_path: Path) -> None:
    clock = Ticking()
    watch = LabelWatch(DeltaTables(str(labelled.shop.root / "tables")), clock)
    watch.step()
    assert watch.found == {}, "not at once: a gateway that starts has better things to do"
    clock.sleep(61)
    watch.step()
    of = watch.found["adult"]
    assert (of.predictions, of.share) == (4, 0.25)
    assert of.delay_median == of.delay_90
    assert 0 < (of.delay_median or 0) < 60

    write_state(tmp_path, LogState(labels=watch.found))
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in LogFamilies(Counts(), tmp_path).collect()
        for sample in family.samples
    }
    assert samples["mainspring_label_share", "adult"] == 0.25
    assert samples["mainspring_label_delay_seconds", "adult", "0.9"] == of.delay_90
    assert samples["mainspring_label_delay_seconds", "adult", "0.5"] == of.delay_median


def test_tables_that_cannot_be_read_are_told_and_tried_again(
    labelled: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(DeltaTables):
        def names(self, prefix: str) -> list[str]:
            raise OSError("the disk is gone")

    clock = Ticking()
    watch = LabelWatch(Broken(str(tmp_path)), clock)
    clock.sleep(61)
    watch.step()
    assert watch.found == {}
    assert "the labels could not be counted" in caplog.text
    watch._tables = DeltaTables(str(labelled.shop.root / "tables"))
    watch.step()
    assert watch.found == {}, "not before it is time again"
    clock.sleep(61)
    watch.step()
    assert watch.found["adult"].predictions == 4
