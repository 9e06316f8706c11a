"""A manifest reads back as it was written, and nothing else reads as one."""

import json
import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.release import InputField, Manifest, OutputSpec, RuntimeKind, RuntimeSpec
from mainspring.domain.schema import Kind, Personal
from mainspring.domain.task import Task
from mainspring.errors import ReleaseError
from mainspring.release.manifest import decode_manifest, encode_manifest, is_inside
from mainspring.testing.releases import A_TRAINING, a_manifest

WHOLE = encode_manifest(a_manifest())


def with_field(path: str, value: Any) -> bytes:
    document = json.loads(WHOLE)
    *outer, last = path.split(".")
    place = document
    for name in outer:
        place = place[name]
    place[last] = value
    return json.dumps(document).encode()


def test_it_reads_back_as_it_was_written() -> None:
    assert decode_manifest(WHOLE) == a_manifest()


def test_the_bytes_do_not_depend_on_the_order_of_keys() -> None:
    other = a_manifest(files={"source/model.py": "b" * 64, "model.onnx": "a" * 64})
    assert encode_manifest(other) == WHOLE


def test_people_can_read_it() -> None:
    assert b'\n "model": "adclick",\n' in WHOLE
    assert "roc_auc ≥ 0.7" in WHOLE.decode()


def test_an_adopted_release_has_no_training() -> None:
    adopted = a_manifest(origin="adopted", training=None, parent=None)
    assert decode_manifest(encode_manifest(adopted)) == adopted


def test_a_manifest_from_before_a_field_was_known_reads() -> None:
    document = json.loads(WHOLE)
    del document["key_personal"]
    for field in document["inputs"]:
        del field["personal"]
    assert decode_manifest(json.dumps(document).encode()) == a_manifest()


def test_what_is_personal_is_told() -> None:
    mail = InputField("mail", Kind.TEXT, personal=Personal.HASH)
    told = a_manifest(inputs=(mail,), key_personal=Personal.MASK)
    assert decode_manifest(encode_manifest(told)) == told


def test_numbers_of_numpy_are_plain_numbers() -> None:
    written = a_manifest(training=_training(params={"depth": np.int64(3), "rate": np.float64(0.5)}))
    assert decode_manifest(encode_manifest(written)).training == _training(params={"depth": 3, "rate": 0.5})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_not_finite_is_written(value: float) -> None:
    with pytest.raises(ReleaseError, match=r"manifest.json: naive.roc_auc: -?(nan|inf) is no number"):
        encode_manifest(a_manifest(naive={"roc_auc": value}))
    with pytest.raises(ReleaseError, match=r"training.params.rates\[1\]"):
        encode_manifest(a_manifest(training=_training(params={"rates": [1.0, value]})))


def test_no_object_of_the_users_is_written() -> None:
    with pytest.raises(ReleaseError, match="cannot be written"):
        encode_manifest(a_manifest(training=_training(params={"estimator": object()})))


@pytest.mark.parametrize("number", [0, 2, 99])
def test_another_format_is_refused(number: int) -> None:
    with pytest.raises(ReleaseError, match=f"manifest.json: format: {number} is not known here"):
        decode_manifest(with_field("format", number))


def test_a_newer_format_is_refused_whatever_else_it_holds() -> None:
    with pytest.raises(ReleaseError, match="upgrade mainspring"):
        decode_manifest(b'{"format": 2, "everything": "else"}')


LATER = {"warnings", "key_personal", "views", "functions", "carried"}  # than the first releases


def test_a_manifest_of_before_opens_unchanged() -> None:
    document = json.loads(WHOLE)
    old = {name: value for name, value in document.items() if name not in LATER - {"warnings"}}
    assert decode_manifest(json.dumps(old).encode()) == decode_manifest(WHOLE)


@pytest.mark.parametrize("name", sorted(set(json.loads(WHOLE)) - LATER))
def test_an_absent_field_is_named(name: str) -> None:
    document = json.loads(WHOLE)
    del document[name]
    with pytest.raises(ReleaseError, match=f"`{name}`"):
        decode_manifest(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("number", "7", "number: Expected `int`, got `str`"),
        ("number", 7.5, "number: Expected `int`"),
        ("number", 0, "number: 0 is no number of a release"),
        ("number", 2**70, "number: "),
        ("model", "../../etc", "model: '../../etc' is no name of a model"),
        ("model", "A" * 5000, "model: "),
        ("task", "ranking", "task: Invalid enum value 'ranking'"),
        ("created_at", "yesterday", "created_at: "),
        ("created_at", "2026-03-01T12:00:00", "created_at: it has no time zone"),
        ("inputs", [], "inputs: there are none"),
        ("inputs", {}, "inputs: Expected `array`"),
        ("files", {"../model.onnx": "a" * 64}, "files: '../model.onnx' is no file"),
        ("files", {"signature": "a" * 64}, "files: 'signature' is no file"),
        ("files", {"model.onnx": "short"}, "files: 'model.onnx' has no SHA-256"),
        ("runtime.files", ["elsewhere.onnx"], "runtime.files: 'elsewhere.onnx' is not among the files"),
        ("runtime.files", [], "runtime.files: a compiled model is one file"),
        ("runtime.kind", "shell", "runtime.kind: Invalid enum value 'shell'"),
        ("runtime.tolerance", -1, "runtime.tolerance: -1.0 is no tolerance"),
        ("runtime.tolerance", 1e300, "runtime.tolerance: 1e[+]300 is no tolerance"),
        ("output.task", "regression", "output.task: regression is not the task binary"),
        ("output.classes", ["no", "no"], "output.classes: a class is named twice"),
        ("output.classes", ["no", "perhaps", "yes"], "output.classes: 3 classes are no binary task"),
        ("output.positive", "maybe", "output.positive: 'maybe' is none of the classes"),
        ("metrics.roc_auc", 0.9, "metrics"),
        ("training.threads", "two", "training.threads: Expected `int`, got `str`"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(ReleaseError, match=message):
        decode_manifest(with_field(path, value))


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{", b"\xff\xfe{}", b'{"format": "1"}', b"{}", WHOLE[:-3], WHOLE + b"{}", bytes(100)],
)
def test_no_manifest_at_all(content: bytes) -> None:
    with pytest.raises(ReleaseError, match=r"^manifest.json: "):
        decode_manifest(content)


def test_a_huge_one_is_refused_unread() -> None:
    with pytest.raises(ReleaseError, match="more than a manifest has"):
        decode_manifest(b" " * (33 * 1024 * 1024))


def test_a_deep_one_is_refused() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    with pytest.raises(ReleaseError, match=r"^manifest\.json: "):
        decode_manifest(WHOLE.replace(b'"max_iter": 57', b'"max_iter": ' + deep))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError):
        decode_manifest(content)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_flipped_byte_is_read_or_refused(place: int, flip: int) -> None:
    changed = bytearray(WHOLE)
    changed[place] ^= flip
    with suppress(ReleaseError):  # and nothing else
        decode_manifest(bytes(changed))


@given(
    st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    st.text(max_size=10),
    st.integers(1, 10**8),
)
def test_any_manifest_reads_back(naive: dict[str, float], target: str, number: int) -> None:
    written = a_manifest(naive=naive, target=target, number=number)
    try:
        target.encode()
    except UnicodeEncodeError:
        return
    content = encode_manifest(written)
    assert decode_manifest(content) == written
    assert encode_manifest(decode_manifest(content)) == content


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../x",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "C:x",
        "a\0b",
        "a\nb",
        "/",
        "a/..",
    ],
)
def test_names_that_leave_the_folder(name: str) -> None:
    assert not is_inside(name)


def test_a_regression_has_no_classes() -> None:
    runtime = RuntimeSpec(RuntimeKind.NATIVE, "no compiled form", 1e-9, ("model.onnx",))
    written: Manifest = a_manifest(task=Task.REGRESSION, output=OutputSpec(Task.REGRESSION), runtime=runtime)
    assert decode_manifest(encode_manifest(written)) == written


def _training(**changes: Any) -> Any:
    return replace(A_TRAINING, **changes)
