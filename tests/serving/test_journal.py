"""What the journal writes reads back as it was; what is personal never reaches the disk; faults cost no answer."""

import asyncio
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.clock import SYSTEM_CLOCK
from mainspring.domain.prediction_log import Role
from mainspring.domain.release import InputField, Manifest, OutputSpec
from mainspring.domain.schema import Kind, Personal
from mainspring.domain.task import Task
from mainspring.errors import StoreError, Unavailable
from mainspring.release.encoding import Encoder
from mainspring.serving.drain import Drain
from mainspring.serving.journal import Answered, Journal, LogOrders, open_journal
from mainspring.serving.kept_key import kept_key
from mainspring.serving.personal import KEY_FILE, digest_of, personal_secret
from mainspring.serving.prediction_frames import (
    DamagedFrame,
    Description,
    description_frame,
    head_of,
    prediction_frame,
    read_description,
    read_prediction,
)
from mainspring.serving.spool import Spool
from mainspring.stores.tables_delta import DeltaTables
from mainspring.testing.full_disk import small_disk
from mainspring.testing.releases import a_manifest

SECRET = bytes(range(32))
CLEAR = "ann.smith@example.com"


class Desk:
    """A journal, its spool, and the table that they come to."""

    def __init__(self, root: Path, **changes: Any) -> None:
        self.root = root
        self.spool = Spool(root / "gateway" / "8000" / "spool", "worker-0", limit=1 << 30)
        self.tables = DeltaTables(str(root / "tables"))
        self.drops: list[str] = []
        self.rows = 0
        self.journal = Journal(self.spool, SECRET, logged=self._count, dropped=self.drops.append, **changes)

    def _count(self, rows: int) -> None:
        self.rows += rows

    def stored(self, model: str = "adclick") -> dict[str, list[Any]]:
        drain = Drain(self.root / "gateway" / "8000", self.tables, SYSTEM_CLOCK, commit_every=1, commit_rows=1000)
        assert drain.take()
        drain.step(at_once=True)
        assert (drain.state.damaged_frames, drain.state.damaged_bytes, drain.state.trouble) == (0, 0, "")
        drain.close()
        rows = self.tables.scan(f"predictions/{model}").sort("id").collect()
        found: dict[str, list[Any]] = rows.to_dict(as_series=False)
        return found

    def on_disk(self, text: str) -> list[Path]:
        """The files, spool and Parquet alike, that hold the text."""
        import polars as pl

        found = []
        for path in self.root.rglob("*"):
            if path.suffix == ".parquet":
                if text in str(pl.read_parquet(path, hive_partitioning=False).to_dicts()):
                    found.append(path)
            elif path.is_file() and text.encode() in path.read_bytes():
                found.append(path)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def manifest_of(*inputs: InputField, **changes: Any) -> Manifest:
    return a_manifest(inputs=inputs, **changes)


@given(
    at=st.integers(-(2**62), 2**62),
    latency=st.integers(0, 2**40),
    role=st.sampled_from(Role),
    arm=st.sampled_from(["", "b", "a" * 31]),
    request_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:+=-]{0,99}", fullmatch=True),
    outputs=st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(st.floats(), min_size=width, max_size=width), min_size=1, max_size=4)
    ),
    rows=st.binary(max_size=50),
)
@settings(deadline=None)
def test_an_answer_reads_back_as_it_was_written(
    at: int,
    latency: int,
    role: Role,
    arm: str,
    request_id: str,
    outputs: list[list[float]],
    rows: bytes,
) -> None:
    frame = prediction_frame(at, b"adult@3", request_id, role, arm, latency, outputs, rows)
    assert head_of(frame) == ("adult@3", len(outputs))
    found = read_prediction(frame)
    assert (found.at, found.latency) == (at, min(latency, 2**31 - 1))
    assert (found.release, found.request_id, found.role, found.arm) == ("adult@3", request_id, role, arm)
    assert (found.count, found.width, found.rows) == (len(outputs), len(outputs[0]), rows)
    import struct

    values = struct.unpack(f"<{len(outputs) * len(outputs[0])}d", found.outputs)
    assert all(
        ours == theirs or (math.isnan(ours) and math.isnan(theirs))
        for ours, theirs in zip(values, (value for row in outputs for value in row), strict=True)
    )


@given(content=st.binary(max_size=120))
@settings(deadline=None, max_examples=300)
def test_hostile_frames_are_damaged_and_no_more(content: bytes) -> None:
    for read, kind in ((read_prediction, b"P"), (head_of, b"P"), (read_description, b"R")):
        with pytest.raises(DamagedFrame) if len(content) < 20 else _either():
            read(kind + content)


def _either() -> Any:
    from contextlib import suppress

    return suppress(DamagedFrame)


def test_a_description_reads_back_without_what_nobody_needs() -> None:
    inputs = (
        InputField("job", Kind.CATEGORY, missing=("?",), strip=True, vocabulary=("a",), categories=("a",)),
        InputField("mail", Kind.TEXT, personal=Personal.HASH, description="whose"),
    )
    manifest = a_manifest(inputs=inputs, key="id", key_personal=Personal.MASK)
    found = read_description(description_frame(Description.of(manifest)))
    assert (found.ref, found.model, found.number) == ("adclick@7", "adclick", 7)
    assert found.inputs == (
        InputField("job", Kind.CATEGORY, missing=("?",), strip=True),
        InputField("mail", Kind.TEXT, personal=Personal.HASH),
    )
    assert (found.output, found.key, found.key_personal) == (manifest.output, "id", Personal.MASK)


def test_every_kind_is_stored_as_the_model_read_it(desk: Desk) -> None:
    manifest = manifest_of(
        InputField("whole", Kind.INTEGER, missing=("?",)),
        InputField("share", Kind.NUMBER, missing=("?",)),
        InputField("member", Kind.BOOLEAN, true=("yes", "1"), false=("no", "0")),
        InputField("at", Kind.TIME),
        InputField("job", Kind.CATEGORY, missing=("?",), strip=True),
        InputField("note", Kind.TEXT),
    )
    rows = [
        {
            "whole": 2**53 + 1,
            "share": 3,
            "member": True,
            "at": "2026-01-31T09:00:00.25Z",
            "job": " clerk ",
            "note": "",
        },
        {"whole": 3.0, "share": 0.5, "member": "no", "at": "1970-01-01", "job": "?", "note": "naïve\u0000“x”"},
        {"whole": "?", "share": "?", "member": None, "at": None, "job": None, "note": None},
        {
            "whole": -(2**63),
            "share": 1e308,
            "member": 0,
            "at": None,
            "job": "clerk",
            "note": "\ud800",
        },
    ]
    Encoder(manifest.inputs).rows_to_columns(rows)  # the release takes them
    desk.journal.predicted("r", manifest, rows, [[0.5, 0.5]] * 4, 0.001)
    found = desk.stored()
    assert found["input_whole"] == [2**53 + 1, 3, None, -(2**63)]
    assert found["input_share"] == [3.0, 0.5, None, 1e308]
    assert found["input_member"] == [True, False, None, False]
    assert found["input_at"] == [
        datetime(2026, 1, 31, 9, 0, 0, 250_000, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        None,
        None,
    ]
    assert found["input_job"] == ["clerk", None, None, "clerk"]
    assert found["input_note"] == ["", "naïve\u0000“x”", None, "?"]


@pytest.mark.parametrize(
    ("spec", "outputs"),
    [
        (OutputSpec(Task.BINARY, ("no", "yes"), "yes", 0.4), [[0.6, 0.4], [0.61, 0.39]]),
        (OutputSpec(Task.BINARY, ("no", "yes"), "no", 0.7), [[0.7, 0.3], [0.69, 0.31]]),
        (OutputSpec(Task.MULTICLASS, ("a", "b", "c")), [[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]),
        (OutputSpec(Task.REGRESSION), [[12.5], [-0.25]]),
    ],
)
def test_the_decision_is_the_one_that_was_answered(
    desk: Desk, spec: OutputSpec, outputs: list[list[float]]
) -> None:
    manifest = manifest_of(InputField("age", Kind.NUMBER), output=spec, task=spec.task)
    desk.journal.predicted("r", manifest, [{"age": 1}, {"age": 2}], outputs, 0.001)
    found = desk.stored()
    decided = spec.decide_all(outputs)
    assert found["outputs"] == outputs
    if not spec.classes:
        assert (found["prediction"], found["value"]) == ([None, None], decided)
        return
    assert found["prediction"] == decided
    chosen = [spec.classes.index(spec.positive or label) for label in decided]
    assert found["value"] == [row[place] for row, place in zip(outputs, chosen, strict=True)]


def test_the_key_is_stored_and_is_no_input(desk: Desk) -> None:
    manifest = manifest_of(InputField("age", Kind.NUMBER), key="id")
    for n, key in enumerate(["a", 17, 2**70, None, True, 1.5, "x" * 2000, "~"]):
        key = "\ud800" if key == "~" else key  # JSON knows it, and no encoding does
        body = None if key == "\ud800" else json.dumps({"age": 1, "id": key}).encode()
        desk.journal.predicted(f"r{n}", manifest, [{"age": 1, "id": key}], [[0.5, 0.5]], 0.001, body=body)
    desk.journal.predicted("r8", manifest, [{"age": 1}], [[0.5, 0.5]], 0.001, body=b'{"age": 1}')
    found = desk.stored()
    assert found["key"][:3] == ["a", "17", str(2**70)]
    assert found["key"][3:] == [None, None, None, None, "?", None]
    assert "input_id" not in found


def test_what_is_personal_is_hashed_masked_or_left_out(desk: Desk) -> None:
    fields = [InputField(name, Kind.TEXT, personal=tag) for name, tag in zip("abc", Personal, strict=True)]
    manifest = manifest_of(*fields, InputField("age", Kind.INTEGER, personal=Personal.HASH), key=None)
    row = {"a": CLEAR, "b": CLEAR, "c": CLEAR, "age": 41327}
    same = {**row, "age": 41327.0, "b": None}
    body = json.dumps(row).encode()
    desk.journal.predicted("r1", manifest, [row], [[0.5, 0.5]], 0.001, body=body)
    desk.journal.predicted("r2", manifest, [same], [[0.5, 0.5]], 0.001)
    assert desk.on_disk(CLEAR) == []
    found = desk.stored()
    assert desk.on_disk(CLEAR) == desk.on_disk("41327") == []
    assert found["input_a"] == [digest_of(SECRET, "a", CLEAR)] * 2
    assert found["input_b"] == ["***", None]
    assert "input_c" not in found
    assert found["input_age"] == [digest_of(SECRET, "age", "41327")] * 2


def test_a_field_of_another_release_is_not_kept_in_clear(desk: Desk) -> None:
    """It may be personal there; this release cannot know."""
    manifest = manifest_of(InputField("age", Kind.NUMBER), key="id")
    row = {"age": 1, "id": 5, "mail": CLEAR}
    desk.journal.predicted("r1", manifest, [row], [[0.5, 0.5]], 0.001, body=json.dumps(row).encode())
    two = [{"age": 1, "mail": CLEAR}, {"age": 2}]
    desk.journal.predicted("r2", manifest, two, [[0.5, 0.5]] * 2, 0.001, body=json.dumps(two).encode())
    assert desk.on_disk(CLEAR) == []
    assert desk.stored()["input_age"] == [1, 1, 2]
    assert desk.on_disk(CLEAR) == []


@pytest.mark.parametrize("tag", Personal)
def test_a_personal_key_is_found_by_feedback_and_by_nobody_else(desk: Desk, tag: Personal) -> None:
    manifest = manifest_of(InputField("age", Kind.NUMBER), key="mail", key_personal=tag)
    row = {"age": 1, "mail": CLEAR}
    desk.journal.predicted("r1", manifest, [row], [[0.5, 0.5]], 0.001, body=json.dumps(row).encode())
    assert desk.on_disk(CLEAR) == []
    (key,) = desk.stored()["key"]
    assert desk.on_disk(CLEAR) == []
    kept = kept_key(manifest, CLEAR, SECRET)
    assert key == {Personal.HASH: kept, Personal.MASK: "***", Personal.OMIT: None}[tag]
    assert (kept is None) == (tag is not Personal.HASH)


def test_a_later_release_may_have_other_inputs_and_other_kinds(desk: Desk) -> None:
    first = manifest_of(InputField("age", Kind.NUMBER), InputField("job", Kind.CATEGORY), number=1)
    second = manifest_of(InputField("age", Kind.CATEGORY), InputField("Job", Kind.TEXT), number=2)
    third = manifest_of(
        InputField("age", Kind.NUMBER, personal=Personal.HASH), InputField("new", Kind.BOOLEAN), number=3
    )
    half = [[0.5, 0.5]]
    desk.journal.predicted("r1", first, [{"age": 1, "job": "a"}], half, 0.001)
    desk.journal.predicted("r2", second, [{"age": "old", "Job": "b"}], half, 0.001)
    together = desk.stored()
    assert together["input_age"] == [1.0, None]
    desk.journal.predicted("r3", third, [{"age": 1, "new": True}], half, 0.001)
    desk.journal.predicted("r4", first, [{"age": 4, "job": "d"}], half, 0.001)
    found = desk.stored()
    assert found["input_age"] == [1.0, None, None, 4.0]
    assert found["text_input_age"] == [None, "old", digest_of(SECRET, "age", "1"), None]
    assert found["input_job"] == ["a", None, None, "d"]
    assert found["text_input_Job"] == [None, "b", None, None]
    assert found["input_new"] == [None, None, True, None]
    assert found["release"] == [1, 2, 3, 1]


def test_each_file_describes_its_releases(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gateway" / "8000" / "spool", "w", limit=1 << 30, file_bytes=700)
    journal = Journal(spool, SECRET)
    manifest = manifest_of(InputField("age", Kind.NUMBER))
    for n in range(60):
        journal.predicted(f"r{n:02d}", manifest, [{"age": n}], [[0.5, 0.5]], 0.001)
    spool.close()
    assert spool.generation > 5
    desk = Desk(tmp_path)
    found = desk.stored()
    assert found["input_age"] == [float(n) for n in range(60)]


def test_a_fault_of_the_log_costs_the_record_and_not_the_answer(desk: Desk, caplog: Any) -> None:
    manifest = manifest_of(InputField("age", Kind.NUMBER))
    for _ in range(3):
        assert desk.journal.predicted("r" * 300, manifest, [{"age": 1}], [[0.5, 0.5]], 0.001) is None
    assert desk.drops == ["error"] * 3
    assert sum("could not be logged" in record.message for record in caplog.records) == 1
    desk.journal.predicted("r1", manifest, [{"age": 1}], [[0.5, 0.5]], 0.001)
    assert desk.rows == 1
    assert desk.stored()["id"] == ["r1/0"]


def test_answers_that_go_out_together_are_stored_each(desk: Desk) -> None:
    manifest = manifest_of(InputField("age", Kind.NUMBER))
    answers = [Answered(f"r{n}", None, [[0.5, 0.5]] * 2, 0.001, b'[{"age":1},{"age":%d}]' % n) for n in range(9)]
    answers[3] = Answered("r3", [{"age": 1}, {"age": 3, "other": "secret"}], [[0.5, 0.5]] * 2, 0.001, b"secret")
    answers[5] = Answered("r" * 300, None, [[0.5, 0.5]], 0.001, b'{"age":1}')
    desk.journal.predicted_together(manifest, answers)
    assert desk.drops == ["error"]
    assert desk.rows == 16
    assert not desk.on_disk("secret")
    stored = desk.stored()
    assert stored["id"] == [f"r{n}/{row}" for n in range(9) if n != 5 for row in (0, 1)]
    assert stored["input_age"] == [age for n in range(9) if n != 5 for age in (1.0, float(n))]
    assert set(stored["role"]) == {"champion"}


def test_together_too_each_file_describes_its_releases(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.spool._file_bytes = 500
    manifest = manifest_of(InputField("age", Kind.NUMBER))
    for start in range(0, 60, 3):
        together = [
            Answered(f"r{n:02}", None, [[0.5, 0.5]], 0.1, b'{"age":%d}' % n) for n in range(start, start + 3)
        ]
        desk.journal.predicted_together(manifest, together)
    assert desk.spool.generation > 5
    assert desk.stored()["input_age"] == [float(n) for n in range(60)]


def test_what_is_personal_is_never_kept_unseen(desk: Desk) -> None:
    manifest = manifest_of(InputField("mail", Kind.TEXT, personal=Personal.HASH))
    body = json.dumps({"mail": CLEAR}).encode()
    desk.journal.predicted_together(manifest, [Answered("r1", None, [[0.5, 0.5]], 0.001, body)])
    assert desk.drops == ["error"]
    desk.journal.predicted_together(manifest, [Answered("r2", [{"mail": CLEAR}], [[0.5, 0.5]], 0.001, body)])
    assert desk.stored()["id"] == ["r2/0"]
    assert not desk.on_disk(CLEAR)


def test_strict_answers_nothing_that_is_not_durable(tmp_path: Path) -> None:
    async def ask(folder: Path) -> tuple[int, int]:
        spool = Spool(folder, "w", limit=1 << 30, strict=True)
        rows = []
        journal = Journal(spool, SECRET, logged=rows.append)
        manifest = manifest_of(InputField("note", Kind.TEXT))
        refused = 0
        for n in range(300):
            try:
                done = journal.predicted(f"r{n}", manifest, [{"note": "x" * 3000}], [[0.5, 0.5]], 0.001)
                assert done is not None
                await done
            except Unavailable:
                refused += 1
        with pytest.raises(Unavailable, match="could not be logged"):
            journal.predicted("r" * 300, manifest, [{"note": "x"}], [[0.5, 0.5]], 0.001)
        spool.close()
        return refused, sum(rows)

    with small_disk(tmp_path / "disk", 300_000) as disk:
        refused, logged = asyncio.run(ask(disk / "spool"))
    assert refused > 100
    assert refused + logged == 300


def test_no_log_is_kept_when_it_is_off(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    personal_secret(keys)
    orders = LogOrders("off", str(tmp_path / "spool"), 1 << 30, str(keys / KEY_FILE))
    spool, journal = open_journal(orders, "worker-0", logged=lambda rows: None, dropped=lambda why: None)
    assert journal.predicted("r", manifest_of(), [{}], [[0.5]], 0.1) is None
    assert spool.position == 0
    spool.append(b"Ffeedback is kept all the same", must_keep=True)
    spool.close()
    assert spool.position > 0


def test_the_secret_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    made = personal_secret(tmp_path / "keys")
    place = tmp_path / "keys" / KEY_FILE
    assert (len(made), place.stat().st_mode & 0o777) == (32, 0o600)
    assert personal_secret(tmp_path / "keys") == made
    assert list((tmp_path / "keys").iterdir()) == [place]
    place.write_text("none")
    with pytest.raises(StoreError, match="key for personal values"):
        personal_secret(tmp_path / "keys")


def test_without_the_secret_nothing_is_kept_in_clear(tmp_path: Path) -> None:
    orders = LogOrders("batch", str(tmp_path / "spool"), 1 << 30, str(tmp_path / "nosuch"))
    spool, journal = open_journal(orders, "worker-0", logged=lambda rows: None, dropped=lambda why: None)
    manifest = manifest_of(InputField("mail", Kind.TEXT, personal=Personal.HASH))
    journal.predicted("r", manifest, [{"mail": CLEAR}], [[0.5, 0.5]], 0.1)
    spool.close()
    (file,) = (tmp_path / "spool").glob("*.spool")
    assert CLEAR.encode() not in file.read_bytes()
    assert b"mail" in file.read_bytes()


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(st.floats(), min_size=width, max_size=width), min_size=1, max_size=5)
    )
)
def test_outputs_that_are_packed_already_make_the_same_frame(outputs: list[list[float]]) -> None:
    told = (1, b"adult@1", "r1", Role.CHAMPION, "", 5, outputs, b"[]")
    assert prediction_frame(*told) == prediction_frame(*told, np.array(outputs, "<f8").tobytes())
