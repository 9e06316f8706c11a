"""Signatures of releases: one key of the workspace signs, a folder of public keys says who is trusted.

Imports cryptography and the standard library only: gateway workers use it.
"""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mainspring.domain.ids import digest_bytes
from mainspring.errors import ReleaseError, TamperedRelease
from mainspring.stores.atomic import write_atomic

SIGNING_KEY = "signing.pem"
TRUSTED = "trusted"

_LARGEST = 16 * 1024

# What stands before the 32 bytes of an ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
_PREFIX = bytes.fromhex("302a300506032b6570032100")
_PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")


def signing_key(keys: Path) -> Ed25519PrivateKey:
    """The workspace's key, made when first asked for; its public half joins the trusted ones.

    Args:
        keys: the folder `.mainspring/keys`.

    Raises:
        ReleaseError: the key may be read by others, or is no ed25519 key.
    """
    place = keys / SIGNING_KEY
    if not place.exists():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(place)
    key = _read_private(place)
    public = keys / TRUSTED / f"{fingerprint(key.public_key())}.pub"
    if not public.exists():
        public.parent.mkdir(exist_ok=True)
        write_atomic(public, public_pem(key.public_key()), role="the public key")
    return key


def trusted_keys(folder: Path) -> tuple[Ed25519PublicKey, ...]:
    """The public keys (`*.pub`, PEM) in the folder, by name; none where there is no such folder.

    Raises:
        ReleaseError: a file is no ed25519 public key.
    """
    found = []
    for place in sorted(folder.glob("*.pub")):
        try:
            found.append(_public_key(_small(place)))
        except ValueError as error:
            raise _no_key(place, "public") from error
    return tuple(found)


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of the bytes, base64 and a line end."""
    return base64.b64encode(key.sign(content)) + b"\n"


def verify(content: bytes, signature: bytes, trusted: Sequence[Ed25519PublicKey], *, release: str) -> None:
    """Check that one of the trusted keys signed these bytes.

    Args:
        release: its name, for the error.

    Raises:
        TamperedRelease: none did.
    """
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TamperedRelease(
            f"the signature of {release} is no signature",
            cure="fetch the release again from where it was sealed",
            where={"release": release, "file": "signature"},
        ) from error
    for key in trusted:
        try:
            key.verify(raw, content)
        except InvalidSignature:
            continue
        return
    raise TamperedRelease(
        f"the manifest of {release} is signed by none of the {len(trusted)} trusted keys",
        cure="do not use it unless you know who made it; to trust its maker, put their public key into the folder "
        f"{TRUSTED} of the workspace's keys",
        where={"release": release, "file": "manifest.json"},
    )


def fingerprint(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    return digest_bytes(key.public_bytes_raw())[:16]


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The key as a SubjectPublicKeyInfo in PEM (RFC 7468, section 13)."""
    text = base64.b64encode(_PREFIX + key.public_bytes_raw())
    return b"-----BEGIN PUBLIC KEY-----\n" + text + b"\n-----END PUBLIC KEY-----\n"


def _public_key(pem: bytes) -> Ed25519PublicKey:
    """The reverse, without the parsers of all other kinds of keys: importing them takes long for a gateway.

    Raises:
        ValueError: this is no ed25519 public key.
    """
    found = _PEM.fullmatch(pem)
    content = base64.b64decode(b"".join(found[1].split()), validate=True) if found else b""
    if not content.startswith(_PREFIX) or len(content) != len(_PREFIX) + 32:
        raise ValueError("no ed25519 public key")
    return Ed25519PublicKey.from_public_bytes(content[len(_PREFIX) :])


def _create(place: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    write_atomic(draft, pem, mode=0o600, role="the signing key")
    try:
        # A link, unlike a rename, never replaces the key that another process made meanwhile.
        place.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read_private(place: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    mode = place.stat().st_mode & 0o777
    if mode & 0o077:
        raise ReleaseError(
            f"the signing key {place.name} may be read by others (mode {mode:04o})",
            cure=f"chmod 600 {place}; or, if somebody may have read it, make a new one and trust the old no more",
            where={"file": place.name},
        )
    try:
        key = load_pem_private_key(_small(place), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(place, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(place, "private")
    return key


def _small(place: Path) -> bytes:
    with place.open("rb") as file:
        return file.read(_LARGEST)


def _no_key(place: Path, half: str) -> ReleaseError:
    return ReleaseError(
        f"{place.name} is no {half} ed25519 key in PEM form without a password",
        cure="put the right file there, or remove it",
        where={"file": place.name},
    )
