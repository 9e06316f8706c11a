"""Only what a trusted key signed is taken, and the key is for nobody else."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import ReleaseError, TamperedRelease
from mainspring.release.signing import fingerprint, public_pem, sign, signing_key, trusted_keys, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def test_a_signature_holds_for_its_bytes_and_its_key(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "keys")
    signature = sign(b"manifest", key)
    verify(b"manifest", signature, trusted_keys(tmp_path / "keys" / "trusted"), release="adclick@7")
    with pytest.raises(TamperedRelease, match="adclick@7 is signed by none of the 1 trusted keys"):
        verify(b"manifest!", signature, [key.public_key()], release="adclick@7")
    with pytest.raises(TamperedRelease):
        verify(b"manifest", signature, [KEY.public_key()], release="adclick@7")
    with pytest.raises(TamperedRelease, match="none of the 0"):
        verify(b"manifest", signature, [], release="adclick@7")
    verify(b"manifest", signature, [KEY.public_key(), key.public_key()], release="adclick@7")


@given(st.binary(max_size=120))
def test_no_other_bytes_are_a_signature(signature: bytes) -> None:
    with pytest.raises(TamperedRelease):
        verify(b"manifest", signature, [KEY.public_key()], release="adclick@7")


def test_the_key_stays_and_is_private(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    before = os.umask(0)
    try:
        first = signing_key(keys)
    finally:
        os.umask(before)
    assert signing_key(keys).private_bytes_raw() == first.private_bytes_raw()
    assert stat.S_IMODE((keys / "signing.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {p.relative_to(keys).as_posix() for p in keys.rglob("*")} == {
        "signing.pem",
        "trusted",
        f"trusted/{fingerprint(first.public_key())}.pub",
    }


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o601])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    signing_key(tmp_path)
    (tmp_path / "signing.pem").chmod(mode)
    with pytest.raises(ReleaseError, match=rf"may be read by others \(mode {mode:04o}\); chmod 600"):
        signing_key(tmp_path)


def test_files_that_are_no_keys(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    for content in (
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ):
        (tmp_path / "signing.pem").write_bytes(content)
        (tmp_path / "signing.pem").chmod(0o600)
        with pytest.raises(ReleaseError, match=r"signing.pem is no private ed25519 key"):
            signing_key(tmp_path)
    for content in (b"", other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        (tmp_path / "colleague.pub").write_bytes(content)
        with pytest.raises(ReleaseError, match=r"colleague.pub is no public ed25519 key"):
            trusted_keys(tmp_path)


def test_trusted_keys_are_those_in_the_folder(tmp_path: Path) -> None:
    assert trusted_keys(tmp_path / "absent") == ()
    (tmp_path / "a.pub").write_bytes(public_pem(KEY.public_key()))
    (tmp_path / "README").write_text("not a key")
    assert trusted_keys(tmp_path) == (KEY.public_key(),)


def test_processes_that_ask_at_once_get_one_key(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mainspring.release.signing import *\n"
        "print('up', flush=True); input()\n"
        "print(fingerprint(signing_key(Path(sys.argv[1])).public_key()))"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert len({child.communicate()[0] for child in children}) == 1
    assert len(list((tmp_path / "keys" / "trusted").iterdir())) == 1
