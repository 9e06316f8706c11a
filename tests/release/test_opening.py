"""A release that is not, byte for byte, the one that was sealed is never opened."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import Manifest
from mainspring.errors import GoldenMismatch, InvalidInput, MainspringError, ReleaseError, TamperedRelease
from mainspring.release.manifest import decode_manifest, encode_manifest
from mainspring.release.opening import open_release
from mainspring.release.sealing import seal
from mainspring.release.signing import sign
from mainspring.testing.sealed import a_seal_order, some_rows

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1")
TRUSTED = [KEY.public_key()]
NAMES = [
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
FULL = [name for name in NAMES if name != "source/mainspring.toml"]  # which is empty


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases") / "adclick" / "1"
    seal(a_seal_order(), folder=folder, key=KEY)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "adclick" / "1"))


def refuse(folder: Path, match: str, kind: type[MainspringError] = TamperedRelease) -> None:
    with pytest.raises(kind, match=match) as caught:
        open_release(folder, TRUSTED)
    assert "adclick@1" in str(caught.value)


def resign(folder: Path, change: Callable[[Manifest], Manifest]) -> None:
    """As somebody who holds the key could."""
    content = encode_manifest(change(decode_manifest((folder / "manifest.json").read_bytes())))
    (folder / "manifest.json").write_bytes(content)
    (folder / "signature").write_bytes(sign(content, KEY))


def test_what_was_sealed_opens_and_answers(folder: Path) -> None:
    digest = digest_bytes((folder / "manifest.json").read_bytes())
    with open_release(folder, TRUSTED, expected_digest=digest) as opened:
        assert str(opened.manifest.ref) == "adclick@1"
        assert opened.difference <= 1e-9
        rows = some_rows(5, seed=9)
        outputs = opened.runtime.predict_frame(rows)
        assert outputs.shape == (5, 2)
        assert np.allclose(outputs.sum(axis=1), 1)
        with pytest.raises(InvalidInput, match="'age' is absent"):
            opened.encoder.rows_to_matrix(
                [{"income": 1, "member": True, "device": "phone", "shown_at": "2026-01-01"}]
            )


def test_another_manifest_than_the_promoted_one(folder: Path) -> None:
    with pytest.raises(TamperedRelease, match="not the one that was registered"):
        open_release(folder, TRUSTED, expected_digest="0" * 64)


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_byte(folder: Path, name: str, place: str) -> None:
    content = bytearray((folder / name).read_bytes())
    where = {"first": 0, "middle": len(content) // 2, "last": len(content) - 1}[place]
    content[where] ^= 0x20 if name != "signature" or place != "last" else 0x01
    (folder / name).write_bytes(content)
    if name == "signature" and place == "last":  # a line end that became a blank: the signature is the same
        (folder / name).write_bytes(content[:-3] + b"A\n")
    refuse(
        folder, "signature|signed by none" if name in ("manifest.json", "signature") else f"'{name}'.*not the one"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refuse(folder, f"the file '{name}' of adclick@1 is absent")


@pytest.mark.parametrize("name", FULL)
def test_a_truncated_file(folder: Path, name: str) -> None:
    os.truncate(folder / name, (folder / name).stat().st_size // 2)
    refuse(folder, "adclick@1")


def test_an_emptied_file(folder: Path) -> None:
    for name in FULL:
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(b"")
        refuse(folder, "adclick@1")
        (folder / name).write_bytes(kept)


@pytest.mark.parametrize("name", ["extra.py", "source/extra.py", ".hidden", "deep/er/file"])
def test_an_added_file(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("import os")
    refuse(folder, f"'{name}' of adclick@1 was added")


def test_swapped_files(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "kept")
    (folder / "model.skops").rename(folder / "model.onnx")
    (folder / "kept").rename(folder / "model.skops")
    refuse(folder, r"'model.(onnx|skops)' of adclick@1 is not the one")


def test_the_model_of_another_release(folder: Path, tmp_path: Path) -> None:
    seal(a_seal_order(rows=300, number=2), folder=tmp_path / "2", key=KEY)
    shutil.copy(tmp_path / "2" / "model.onnx", folder / "model.onnx")
    refuse(folder, r"'model.onnx' of adclick@1 is not the one")


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "signature", "golden.jsonl", "MODEL_CARD.md"])
def test_a_link_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    refuse(folder, f"'{name}' of adclick@1 is no plain file")


def test_a_folder_behind_a_link(folder: Path, tmp_path: Path) -> None:
    (folder / "source").rename(tmp_path / "outside")
    (folder / "source").symlink_to(tmp_path / "outside")
    refuse(folder, r"'source' of adclick@1 was added|lies behind a link")


def test_a_pipe_does_not_hang_it(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    refuse(folder, r"'model.onnx' of adclick@1 is no plain file")


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()
    refuse(folder, r"'model.onnx' of adclick@1 is no plain file")


def test_signed_by_another_key(folder: Path) -> None:
    content = (folder / "manifest.json").read_bytes()
    (folder / "signature").write_bytes(sign(content, OTHER))
    refuse(folder, "signed by none of the 1 trusted keys")
    open_release(folder, [OTHER.public_key(), *TRUSTED]).close()


def test_an_edited_manifest(folder: Path) -> None:
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content.replace(b'"number": 1,', b'"number": 2,'))
    refuse(folder, "signed by none")


def test_a_signature_over_other_bytes(folder: Path) -> None:
    (folder / "signature").write_bytes(base64.b64encode(bytes(64)))
    refuse(folder, "signed by none")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_even_a_signed_manifest_cannot_point_outside(folder: Path, name: str) -> None:
    content = (folder / "manifest.json").read_bytes()
    content = content.replace(b'"model.onnx": "', f'"{name}": "'.encode())
    (folder / "manifest.json").write_bytes(content)
    (folder / "signature").write_bytes(sign(content, KEY))
    with pytest.raises(ReleaseError, match="is no file of a release"):
        open_release(folder, TRUSTED)


def test_golden_requests_that_do_not_hold(folder: Path) -> None:
    """Even where every digest and the signature are right: the runtime is asked."""
    lines = (folder / "golden.jsonl").read_bytes().splitlines(keepends=True)
    lines[41] = lines[41].replace(b'"outputs":[[0.', b'"outputs":[[1.')
    (folder / "golden.jsonl").write_bytes(b"".join(lines))
    digest = digest_bytes(b"".join(lines))
    resign(folder, lambda manifest: replace(manifest, files={**manifest.files, "golden.jsonl": digest}))
    refuse(folder, r"golden.jsonl line 42: output 0 is 0\.\d+, the original answered 1\.", GoldenMismatch)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 0: there are fewer than 200 lines"),
        (b"{}\n", "line 1: Object missing required field `rows`"),
        (b"no json\n", "line 1: "),
        (b'{"rows":[],"outputs":[]}\n' * 300, "line 1: there is not one answer a row"),
        (b'{"rows":[{}],"outputs":[]}\n' * 300, "line 1: there is not one answer a row"),
        (b"\xff\n" * 300, "line 1: "),
    ],
)
def test_golden_requests_that_are_none(folder: Path, content: bytes, message: str) -> None:
    (folder / "golden.jsonl").write_bytes(content)
    resign(
        folder, lambda manifest: replace(manifest, files={**manifest.files, "golden.jsonl": digest_bytes(content)})
    )
    refuse(folder, f"golden.jsonl of adclick@1, {message}")


def test_a_golden_request_that_the_runtime_refuses(folder: Path) -> None:
    lines = (folder / "golden.jsonl").read_bytes().splitlines(keepends=True)
    lines[7] = lines[7].replace(b'"member":', b'"membre":')
    (folder / "golden.jsonl").write_bytes(b"".join(lines))
    digest = digest_bytes(b"".join(lines))
    resign(folder, lambda manifest: replace(manifest, files={**manifest.files, "golden.jsonl": digest}))
    refuse(folder, "golden.jsonl line 8: the runtime refuses it: .*'membre'", GoldenMismatch)


def test_a_model_that_is_none(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model")
    resign(
        folder,
        lambda manifest: replace(manifest, files={**manifest.files, "model.onnx": digest_bytes(b"no model")}),
    )
    with pytest.raises(ReleaseError, match="does not load"):
        open_release(folder, TRUSTED)


def test_no_folder_at_all(tmp_path: Path) -> None:
    refuse(tmp_path / "adclick" / "1", "'manifest.json' of adclick@1 is absent")


def test_opening_a_compiled_release_loads_nothing_heavy(folder: Path, tmp_path: Path) -> None:
    heavy = ["polars", "pandas", "pyarrow", "sqlalchemy", "sklearn", "mlflow", "onnx", "skops", "cloudpickle"]
    script = (
        "import sys; from pathlib import Path\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
        "from mainspring.release.opening import open_release\n"
        "key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()\n"
        "open_release(Path(sys.argv[1]), [key]).close()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
