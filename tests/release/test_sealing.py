"""What is sealed opens, answers as its original did, and is all there or not there at all."""

import dataclasses
import re
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mainspring.data.estimator_frame import estimator_frame
from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import RuntimeKind
from mainspring.domain.task import Task
from mainspring.errors import DiskFull, ReleaseError, StoreError, TamperedRelease
from mainspring.release.golden import decode_golden
from mainspring.release.golden_requests import frame_of
from mainspring.release.manifest import decode_manifest
from mainspring.release.opening import open_release
from mainspring.release.original import outputs_of
from mainspring.release.sealing import SealOrder, code_digest, seal
from mainspring.stats.profile import Profile
from mainspring.testing.full_disk import small_disk
from mainspring.testing.sealed import COLUMNS, a_seal_order, neighbours

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = [KEY.public_key()]


@pytest.fixture(scope="module")
def order() -> SealOrder:
    return a_seal_order()


@pytest.fixture(scope="module")
def sealed(order: SealOrder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases") / "adclick" / "1"
    seal(order, folder=folder, key=KEY)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_holds_what_the_design_says(sealed: Path) -> None:
    assert sorted(contents(sealed)) == [
        "MODEL_CARD.md",
        "golden.jsonl",
        "manifest.json",
        "model.onnx",
        "model.skops",
        "model.skops.types.json",
        "profile.json",
        "reference.parquet",
        "requirements.lock",
        "signature",
        "source/mainspring.toml",
        "source/model.py",
        "source/schema.toml",
    ]


def test_the_manifest_names_every_file_and_where_it_comes_from(order: SealOrder, sealed: Path) -> None:
    files = contents(sealed)
    manifest = decode_manifest(files.pop("manifest.json"))
    files.pop("signature")
    assert manifest.files == {name: digest_bytes(content) for name, content in files.items()}
    assert manifest.code_digest == code_digest({"model.py": b"model = ...\n"})
    assert manifest.lock_digest == digest_bytes(files["requirements.lock"])
    assert re.fullmatch(r"(\S+==\S+\n)+", files["requirements.lock"].decode())
    assert f"numpy=={np.__version__}\n" in files["requirements.lock"].decode()
    assert (manifest.run_id, manifest.snapshots, manifest.training) == (
        order.run_id,
        order.snapshots,
        order.training,
    )


@pytest.mark.parametrize("task", Task)
def test_a_boosted_pipeline_is_compiled(task: Task, tmp_path: Path) -> None:
    manifest = seal(a_seal_order(task), folder=tmp_path / "1", key=KEY)
    assert manifest.runtime.kind is RuntimeKind.ONNX, manifest.runtime.reason
    assert manifest.runtime.rows_compared >= 5000
    assert manifest.inputs[3].vocabulary == ("desktop", "phone", "tablet")


def test_the_golden_requests_are_the_originals_answers(order: SealOrder, sealed: Path) -> None:
    golden = decode_golden((sealed / "golden.jsonl").read_bytes(), release="adclick@1")
    assert len(golden) >= 200
    rows = [row for request in golden for row in request.rows]
    manifest = decode_manifest((sealed / "manifest.json").read_bytes())
    expected = outputs_of(order.estimator, frame_of(rows, manifest.inputs), order.task, order.classes)
    assert np.array_equal(np.array([answer for request in golden for answer in request.outputs]), expected)
    # The real rows are real: the first is the first of the holdout, as the estimator gets it.
    first = estimator_frame(order.holdout_rows.head(1), COLUMNS)
    assert frame_of(rows[:1], manifest.inputs).equals(first)


def test_the_golden_requests_stand_where_a_runtime_goes_wrong(sealed: Path) -> None:
    golden = decode_golden((sealed / "golden.jsonl").read_bytes(), release="adclick@1")
    rows = [row for request in golden for row in request.rows]
    for name in ("age", "income", "device"):
        assert any(row[name] is None for row in rows)
    for name in ("member", "shown_at"):  # never missing in training
        assert all(row[name] is not None for row in rows)
    devices = {row["device"] for row in rows}
    assert {"never seen before", "", "ünsëen ✓ 東京 🎈"} <= devices
    incomes = {row["income"] for row in rows if row["income"] is not None}
    beside = [x for x in incomes if np.nextafter(x, np.inf) in incomes and np.nextafter(x, -np.inf) in incomes]
    assert len(beside) >= 8
    assert {1e300, -1e300, 5e-324} <= incomes


def test_the_profile_covers_inputs_prediction_and_target(order: SealOrder, sealed: Path) -> None:
    profile = msgspec.json.decode((sealed / "profile.json").read_bytes())
    assert profile["rows"] == order.training_rows.height
    inputs = Profile.from_dict(profile["inputs"])
    assert list(inputs.columns) == [column.name for column in COLUMNS]
    assert inputs.columns["age"].missing == order.training_rows["age"].null_count()
    target = Profile.from_dict(profile["target"]).columns["clicked"]
    assert target.frequencies.counts == dict(order.training_rows["clicked"].value_counts().iter_rows())
    prediction = Profile.from_dict(profile["prediction"]).columns
    outputs = outputs_of(order.estimator, estimator_frame(order.training_rows, COLUMNS), order.task, order.classes)
    assert prediction["probability:yes"].moments.mean == pytest.approx(outputs[:, 1].mean())
    assert prediction["prediction"].frequencies.counts["yes"] == int((outputs[:, 1] >= 0.5).sum())


def test_an_estimator_without_a_compiled_form_is_served_natively(tmp_path: Path) -> None:
    order = a_seal_order(make=neighbours)
    manifest = seal(order, folder=tmp_path / "1", key=KEY)
    assert manifest.runtime.kind is RuntimeKind.NATIVE
    assert manifest.runtime.files == ("model.skops", "model.skops.types.json")
    assert manifest.runtime.reason
    assert not (tmp_path / "1" / "model.onnx").exists()
    assert manifest.runtime.reason.replace("|", "") in (tmp_path / "1" / "MODEL_CARD.md").read_text().replace(
        "\\", ""
    )
    with open_release(tmp_path / "1", TRUSTED) as opened:
        found = opened.runtime.predict_frame(order.holdout_rows)
    expected = outputs_of(order.estimator, estimator_frame(order.holdout_rows, COLUMNS), order.task, order.classes)
    assert np.array_equal(found, expected)
    (tmp_path / "1" / "model.skops").write_bytes((tmp_path / "1" / "model.skops").read_bytes() + b" ")
    with pytest.raises(TamperedRelease, match=r"'model.skops' of adclick@1 is not the one"):
        open_release(tmp_path / "1", TRUSTED)


def test_sealing_again_leaves_it_as_it_is(order: SealOrder, sealed: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in sealed.rglob("*")}
    again = seal(dataclasses.replace(order, warnings=("another",)), folder=sealed, key=KEY)
    assert again == decode_manifest((sealed / "manifest.json").read_bytes())
    assert {p: p.stat().st_mtime_ns for p in sealed.rglob("*")} == before


def test_another_runs_place_is_not_taken(order: SealOrder, sealed: Path) -> None:
    with pytest.raises(StoreError, match=f"adclick@1 is taken by the release of another run .{order.run_id}"):
        seal(dataclasses.replace(order, run_id="another"), folder=sealed, key=KEY)


def test_sealing_twice_gives_the_same_bytes(order: SealOrder, sealed: Path, tmp_path: Path) -> None:
    seal(order, folder=tmp_path / "1", key=KEY)
    first, second = contents(sealed), contents(tmp_path / "1")
    # A zip keeps the time at which it was made, and with it its digest changes.
    changing = {"model.skops", "manifest.json", "signature"}
    assert {n: c for n, c in first.items() if n not in changing} == {
        n: c for n, c in second.items() if n not in changing
    }


def test_a_full_disk_leaves_nothing_behind(order: SealOrder, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        with pytest.raises(DiskFull, match="the disk is full while writing the release adclick@1"):
            seal(order, folder=disk / "adclick" / "1", key=KEY)
        assert list(disk.iterdir()) == []


def test_an_estimator_that_no_file_holds_leaves_nothing_behind(tmp_path: Path) -> None:
    order = a_seal_order()
    order.estimator.lock = threading.Lock()
    with pytest.raises(ReleaseError, match="cannot be kept in a file"):
        seal(order, folder=tmp_path / "adclick" / "1", key=KEY)
    assert list(tmp_path.iterdir()) == []


SEALING = """
import sys
import threading
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mainspring.release import sealed_folder, sealing
from mainspring.testing.sealed import a_seal_order
def publish_never(*arguments, **options):
    print("sealed, not published", flush=True)
    sys.stdin.read()
sealed_folder.publish_folder = publish_never
sealing.seal(a_seal_order(), folder=Path(sys.argv[1]), key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
"""


def test_a_killed_sealing_is_finished_by_the_next(order: SealOrder, tmp_path: Path) -> None:
    folder = tmp_path / "adclick" / "1"
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SEALING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "sealed, not published\n"
    child.kill()
    child.communicate()
    assert [p.name for p in folder.parent.iterdir()] == [".1.sealing"]
    manifest = seal(order, folder=folder, key=KEY)
    assert [p.name for p in folder.parent.iterdir()] == ["1"]
    with open_release(folder, TRUSTED) as opened:
        assert opened.manifest == manifest


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ["polars", "pandas", "pyarrow", "sqlalchemy", "sklearn", "mlflow", "onnx", "onnxruntime", "lightgbm"]
    script = (
        "import sys, mainspring.release.sealing, mainspring.release.opening, mainspring.release.catalogue\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
