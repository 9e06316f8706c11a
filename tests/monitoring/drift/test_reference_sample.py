import pytest

from mainspring.errors import TamperedRelease
from mainspring.monitoring.drift.reference_sample import sealed_inputs, sealed_sample
from mainspring.release.reference_rows import REFERENCE_ROWS
from mainspring.testing.watched import Watched


@pytest.fixture
def shop(tmp_path):
    return Watched(tmp_path)


def sample(shop, slice_):
    return sealed_sample(shop.folders[1], shop.manifests[1], slice_)


def test_slices_are_parts_of_the_whole(shop):
    whole = sample(shop, {})
    parts = [sample(shop, {"device": name}) for name in ("phone", "tv")]
    assert sum(part.rows for part in parts) == whole.rows == 4_000
    for part in parts:
        assert part.inputs.columns["age"].rows == part.prediction.columns["prediction"].rows == part.rows
        assert len(part.inputs.columns["device"].frequencies.counts) == 1


def test_a_slice_that_never_was_has_no_rows(shop):
    assert sample(shop, {"device": "fridge"}).rows == 0
    assert sample(shop, {"city": "Ulm"}).rows == 0


def test_the_inputs_under_their_own_names(shop):
    rows = sealed_inputs(shop.folders[1], shop.manifests[1])
    assert (rows.columns, rows.height) == (["age", "device"], 4_000)


def test_a_release_without_rows(tmp_path):
    shop = Watched(tmp_path, reference_rows=0)
    assert sample(shop, {}) is None
    assert sealed_inputs(shop.folders[1], shop.manifests[1]) is None


def test_rows_that_were_changed_are_refused(shop):
    (shop.folders[1] / REFERENCE_ROWS).write_bytes(b"PAR1")
    with pytest.raises(TamperedRelease):
        sample(shop, {})
