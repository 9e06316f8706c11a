"""TLS at the gateway: 1.2 and newer, the library's own choice of ciphers, and clients' certificates if wanted."""

import ssl
from pathlib import Path

from mainspring.errors import SettingsError


def server_context(certificate: str, key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """What the listening socket speaks.

    Args:
        certificate, key: files in PEM.
        client_ca: the authorities one of which must have signed each client's certificate; `None` asks for none.

    Raises:
        SettingsError: a file that cannot be read, is none of these, or a key of another certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _readable("tls_certificate", certificate)
    _readable("tls_key", key)
    load_certificate(context, certificate, key)
    if client_ca is not None:
        _readable("tls_client_ca", client_ca)
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise _wrong("tls_client_ca", client_ca, "holds no certificates in PEM") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Let new connections get this certificate. Raises as `server_context`; then the one before it stays."""
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _Encrypted:
        raise _wrong(
            "tls_key", key, "is encrypted", "decrypt it: openssl pkey -in KEY -out PLAIN, readable by you alone"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong("tls_key", key, "is the key of another certificate") from error
        raise _wrong(
            "tls_certificate", certificate, f"and {Path(key).name} are no certificate and key in PEM"
        ) from error
    except OSError as error:
        raise _wrong("tls_certificate", certificate, f"cannot be read: {error.strerror}") from error


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    # Without this the library would ask at the terminal, and wait.
    raise _Encrypted


def _readable(setting: str, file: str) -> None:
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise _wrong(setting, file, f"cannot be read: {error.strerror}") from error


def _wrong(setting: str, file: str, why: str, cure: str = "") -> SettingsError:
    return SettingsError(
        f"gateway.{setting}: {Path(file).name} {why}",
        cure=cure or f"let gateway.{setting} name the right file, which this user may read",
        where={"key": f"gateway.{setting}", "file": Path(file).name},
    )
