"""A release with functions of `features.py` in a gateway: they are run, and what they refuse is said."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import FunctionInput, ReleaseRecord
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.features.request_time import RequestFunctions
from mainspring.features.request_time_frames import with_outputs
from mainspring.release.sealing import seal
from mainspring.release.wire import to_wire
from mainspring.testing.sealed import COLUMNS, a_seal_order, boosted

from .conftest import Running, Shop, start

CODE = b"""
def share(x):
    if (x["age"] > 200).any():
        raise ValueError("nobody is so old")
    return {"per_year": x["income"] / (1 + x["age"])}
"""
SHARE = (FunctionInput("share", ("income", "age"), ("per_year",)),)
CARRIED = tuple(column for column in COLUMNS if column.name == "age")
TAKEN = tuple(column for column in COLUMNS if column.name != "age")
WHOLE = (*TAKEN, Column("per_year", Kind.NUMBER))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, list[dict[str, Any]], np.ndarray]]:
    shop = Shop(tmp_path_factory.mktemp("functions"))
    functions = RequestFunctions(CODE, SHARE, COLUMNS)
    order = a_seal_order()
    rows = with_outputs(order.training_rows, functions)
    y = np.array([("no", "yes").index(label) for label in rows["clicked"]])
    estimator = boosted(Task.BINARY).fit(estimator_frame(rows, WHOLE), y)
    changed = replace(
        order,
        columns=TAKEN,
        carried=CARRIED,
        functions=SHARE,
        estimator=estimator,
        code={"model.py": b"", "features.py": CODE},
    )
    folder = shop.root / "releases" / "adclick" / "1"
    manifest = seal(changed, folder=folder, key=shop.key)
    digest = digest_bytes((folder / "manifest.json").read_bytes())
    shop.records.put_release(ReleaseRecord.of(manifest, digest=digest, place="adclick/1"))
    shop.promote(1, "adclick")
    asked = order.holdout_rows.head(40)
    wanted = estimator.predict_proba(estimator_frame(with_outputs(asked, functions), WHOLE))[:, 1]
    running = start(shop)
    yield running, to_wire(asked, manifest.inputs), wanted
    running.stop()
    shop.records.close()


def test_requests_get_what_the_estimator_says_of_what_the_functions_make(
    running: tuple[Running, list[dict[str, Any]], np.ndarray],
) -> None:
    gateway, rows, wanted = running
    status, _, answer = gateway.request("POST", "/predict/adclick", rows)
    assert status == 200
    assert [one["probabilities"]["yes"] for one in answer["predictions"]] == pytest.approx(
        wanted.tolist(), abs=1e-9
    )
    for row, probability in zip(rows[:5], wanted[:5].tolist(), strict=True):
        _, _, one = gateway.request("POST", "/predict/adclick", row)
        assert one["predictions"][0]["probabilities"]["yes"] == pytest.approx(probability, abs=1e-9)


def test_a_function_that_raises_is_named(running: tuple[Running, list[dict[str, Any]], np.ndarray]) -> None:
    gateway, rows, _ = running
    status, _, answer = gateway.request("POST", "/predict/adclick", rows[0] | {"age": 900})
    assert (status, answer["error"]) == (422, "FeatureError")
    assert "the function 'share' of features.py raised ValueError in line 4" in answer["message"]
    status, _, answer = gateway.request("POST", "/predict/adclick", rows[0] | {"per_year": 3.0})
    assert (status, answer["where"]["field"]) == (422, "per_year"), "what is computed is no field of a request"
