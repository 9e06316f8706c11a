"""What is a person's is hashed, masked or left out before a row is written anywhere.

Imports nothing heavy: gateway workers use it.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mainspring.domain.release import InputField
from mainspring.domain.schema import Personal
from mainspring.errors import StoreError
from mainspring.release.encoding_cells import NUMERIC_KINDS, number_reader, text_reader
from mainspring.stores.atomic import naming_a_full_disk, sync_folder

KEY_FILE = "personal.key"
MASKED = "***"
_BYTES = 32
_DIGITS = 32  # of the digest: 128 bits

Row = Mapping[str, Any]


def personal_secret(keys: Path) -> bytes:
    """The workspace's secret for keyed digests; made at its first use, readable by its owner alone.

    Raises:
        StoreError: it cannot be read, or is none.
        DiskFull: it cannot be made.
    """
    place = keys / KEY_FILE
    if not place.exists():
        with naming_a_full_disk("the key for personal values"):
            keys.mkdir(parents=True, exist_ok=True)
            draft = keys / f".{KEY_FILE}.{secrets.token_hex(8)}"
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_hex(_BYTES).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):  # another process was faster: its secret holds
                    os.link(draft, place)
                sync_folder(keys)
            finally:
                draft.unlink(missing_ok=True)
    return read_secret(place)


def read_secret(place: Path) -> bytes:
    """Raises `StoreError` where the file cannot be read or holds no secret."""
    try:
        content = place.read_bytes()
        secret = bytes.fromhex(content.decode("ascii").strip())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the key for personal values cannot be read: {getattr(error, 'strerror', None) or 'it is none'}",
            cure=f"restore {KEY_FILE} in the workspace's keys folder from a backup",
            where={"file": KEY_FILE},
        ) from error
    if len(secret) != _BYTES:
        raise StoreError(
            "the key for personal values is damaged",
            cure=f"restore {KEY_FILE} in the workspace's keys folder from a backup",
            where={"file": KEY_FILE},
        )
    return secret


def digest_of(secret: bytes, name: str, value: str) -> str:
    """The keyed digest (HMAC-SHA256, 32 hexadecimal digits) of a value; another one for each column.

    Examples:
        >>> digest_of(b"secret", "mail", "ann@example.com")
        '1d614b19dc1faf2eb51efdeab590a671'
    """
    message = name.encode("utf-8", "surrogatepass") + b"\0" + value.encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, hashlib.sha256).hex()[:_DIGITS]


class PersonalMask:
    """Rows → the same rows, of the fields given alone, with what is personal treated as its tag says.

    Args:
        inputs: the release's fields.
        key: the event's key, which rows may carry, and
        key_tag: what becomes of it.
        secret: of the workspace.
        more: further fields that rows may carry: the keys of views.

    Examples:
        >>> from mainspring.domain.schema import Kind
        >>> fields = [InputField("age", Kind.NUMBER), InputField("mail", Kind.TEXT, personal=Personal.MASK)]
        >>> PersonalMask(fields, None, None, b"secret")([{"age": 3, "mail": "ann@example.com", "other": 1}])
        [{'age': 3, 'mail': '***'}]
    """

    def __init__(
        self,
        inputs: Sequence[InputField],
        key: str | None,
        key_tag: Personal | None,
        secret: bytes,
        more: Sequence[InputField] = (),
    ) -> None:
        treatments = {
            field.name: _treatment(field.personal, field.name, _reader(field), secret) for field in inputs
        }
        self._always = [(name, treat) for name, treat in treatments.items() if treat is not None]
        others = {field.name: _treatment(field.personal, field.name, _reader(field), secret) for field in more}
        if key is not None and key not in treatments and key not in others:
            others[key] = _treatment(key_tag, key, _as_text, secret)
        self._others = [(name, treat) for name, treat in others.items() if treat is not None]

    def __call__(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        masked = [{name: treat(row[name]) for name, treat in self._always} for row in rows]
        for name, treat in self._others:
            for row, kept in zip(rows, masked, strict=True):
                if name in row:
                    kept[name] = treat(row[name])
        return masked


def _treatment(tag: Personal | None, name: str, text_of: Callable[[Any], str | None], secret: bytes) -> Any:
    """What is done with a value; `None` where it is left out."""
    if tag is None:
        return _as_it_is
    if tag is Personal.OMIT:
        return None
    if tag is Personal.MASK:
        return lambda value: None if text_of(value) is None else MASKED

    def hashed(value: Any) -> str | None:
        text = text_of(value)
        return None if text is None else digest_of(secret, name, text)

    return hashed


def _as_it_is(value: Any) -> Any:
    return value


def _reader(field: InputField) -> Callable[[Any], str | None]:
    """The text of a value as the model reads it, so that 3 and 3.0 have one digest; `None` where it is missing."""
    if field.kind not in NUMERIC_KINDS:
        return text_reader(field)
    read = number_reader(field)

    def text(value: Any) -> str | None:
        number = read(value)
        return None if number != number else format(number, ".17g")

    return text


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)
