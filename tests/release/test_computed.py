"""Releases with functions of `features.py`: what is sealed, and that every way of asking answers the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.release import FunctionInput, InputField, RuntimeKind, ViewInput
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.errors import FeatureError, InvalidInput, ReleaseError, TamperedRelease
from mainspring.features.request_time import RequestFunctions
from mainspring.features.request_time_frames import with_outputs
from mainspring.release.manifest import decode_manifest, encode_manifest
from mainspring.release.opening import open_release
from mainspring.release.proven_functions import proven_functions
from mainspring.release.sealing import SealOrder, seal
from mainspring.release.signing import signing_key
from mainspring.release.wire import to_wire
from mainspring.testing.releases import a_manifest
from mainspring.testing.sealed import COLUMNS, a_seal_order, boosted, neighbours

CODE = b"""
import numpy as np

def angle(x):
    hour = x["shown_at"] / 3600 % 24
    return {"hour_sin": np.sin(hour / 24 * 2 * np.pi), "hour_cos": np.cos(hour / 24 * 2 * np.pi)}

def phone(x):
    return {"is_phone": np.array([float(one == "phone") for one in x["device"]]) * x["member"]}
"""
FUNCTIONS = (
    FunctionInput("angle", ("shown_at",), ("hour_sin", "hour_cos")),
    FunctionInput("phone", ("device", "member"), ("is_phone",)),
)
OUTPUTS = ("hour_sin", "hour_cos", "is_phone")
TAKEN = tuple(column for column in COLUMNS if column.name != "shown_at")
CARRIED = tuple(column for column in COLUMNS if column.name == "shown_at")
WHOLE = (*TAKEN, *(Column(name, Kind.NUMBER) for name in OUTPUTS))


def an_order(make: Callable[[Task], Any], **changes: Any) -> SealOrder:
    """Of an estimator that takes what the functions make, and of whose inputs one is for a function alone."""
    order = a_seal_order(make=make)
    rows = with_outputs(order.training_rows, RequestFunctions(CODE, FUNCTIONS, COLUMNS))
    y = np.array([("no", "yes").index(label) for label in rows["clicked"]])
    changed = replace(
        order,
        columns=TAKEN,
        carried=CARRIED,
        functions=FUNCTIONS,
        estimator=make(Task.BINARY).fit(estimator_frame(rows, WHOLE), y),
        training_rows=rows,
        code={"model.py": b"model = ...\n", "features.py": CODE},
    )
    return replace(changed, **changes)


@pytest.mark.parametrize("make", [boosted, neighbours])
def test_every_way_of_asking_gives_what_the_estimator_says(make: Callable[[Task], Any], tmp_path: Path) -> None:
    order = an_order(make)
    key = signing_key(tmp_path / "keys")
    manifest = seal(order, folder=tmp_path / "adclick" / "1", key=key)
    assert [field.name for field in manifest.inputs] == ["age", "income", "member", "device", "shown_at"]
    assert [field.name for field in manifest.model_fields] == [column.name for column in WHOLE]
    assert (tmp_path / "adclick" / "1" / "features.py").read_bytes() == CODE
    rows = order.holdout_rows
    made = with_outputs(rows, RequestFunctions(CODE, FUNCTIONS, COLUMNS))
    wanted = order.estimator.predict_proba(estimator_frame(made, WHOLE))
    with open_release(tmp_path / "adclick" / "1", [key.public_key()]) as release:
        assert (release.manifest.runtime.kind is RuntimeKind.ONNX) == (make is boosted)
        sent = to_wire(rows, manifest.inputs)
        many = pl.concat([rows] * (2_500 // rows.height + 1))
        for found in (
            release.runtime.predict_frame(rows),
            release.runtime.predict_rows(sent),
            np.concatenate([release.runtime.predict_rows([row]) for row in sent[:20]]),
            release.runtime_for_many_rows().predict_frame(many)[: rows.height],
        ):
            assert found == pytest.approx(wanted[: len(found)], abs=1e-9)
        with pytest.raises(InvalidInput, match="shown_at"):
            release.runtime.predict_rows([{k: v for k, v in sent[0].items() if k != "shown_at"}])


def test_the_file_of_the_functions_is_verified(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "keys")
    folder = tmp_path / "adclick" / "1"
    seal(an_order(boosted), folder=folder, key=key)
    (folder / "features.py").write_bytes(CODE.replace(b"24", b"12"))
    with pytest.raises(TamperedRelease, match=r"features\.py"):
        open_release(folder, [key.public_key()])


def test_what_depends_on_chance_the_clock_or_other_rows_is_not_sealed() -> None:
    rows = pl.DataFrame({"a": [1.0, 2.0, 4.0]})
    fields = (InputField("a", Kind.NUMBER),)
    one = (FunctionInput("f", ("a",), ("y",)),)

    def prove(code: bytes | None, frame: pl.DataFrame = rows) -> None:
        proven_functions(code, one, fields, 1, [frame])

    prove(b"def f(x): return {'y': x['a'] * 2}", rows.with_columns(y=pl.Series([2.0, 4.0, 8.0])))
    with pytest.raises(FeatureError, match="gave another value in training"):
        prove(b"def f(x): return {'y': x['a'] * 2}", rows.with_columns(y=pl.Series([2.0, 4.0, None])))
    with pytest.raises(FeatureError, match="for a row by itself"):
        prove(b"def f(x): return {'y': x['a'] - x['a'].mean()}")
    with pytest.raises(FeatureError, match="has no such file"):
        prove(None)


def a_view(**changes: Any) -> ViewInput:
    view = ViewInput(
        "creative",
        "creative-0123456789ab",
        (InputField("ad_id", Kind.INTEGER),),
        {"brightness": "age"},
        (("width", Kind.INTEGER), ("brightness", Kind.NUMBER)),
        {"brightness": 0.5, "width": 3},
    )
    return replace(view, **changes)


def test_a_manifest_keeps_views_and_functions_as_they_were() -> None:
    files = {"model.onnx": "a" * 64, "features.py": "b" * 64}
    function = FunctionInput("f", ("device",), ("is_phone",))
    manifest = a_manifest(views=(a_view(),), functions=(function,), carried=("device",), files=files)
    assert decode_manifest(encode_manifest(manifest)) == manifest
    assert manifest.ignored == ("impression_id", "ad_id")
    assert [field.name for field in manifest.model_fields] == ["age", "is_phone"]
    assert [field.name for field in manifest.logged] == ["age", "device", "ad_id"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"carried": ("age",)}, "not the last inputs"),
        ({"functions": (FunctionInput("f", ("device",), ("age",)),)}, "name of an input"),
        ({"functions": (FunctionInput("f", ("other",), ("y",)),)}, "takes what is no input"),
        ({"functions": (FunctionInput("f", ("device",), ("y",)),)}, "not among the files"),
        ({"views": (a_view(), a_view())}, "named twice"),
        ({"views": (a_view(keys=()),)}, "has no key"),
        ({"views": (a_view(features={"brightness": "other"}),)}, "no such input"),
        ({"views": (a_view(features={"hue": "age"}),)}, "has no feature 'hue'"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ReleaseError, match=words):
        encode_manifest(a_manifest(**changes))
