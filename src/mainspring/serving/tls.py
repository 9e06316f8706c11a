"""TLS at the gateway: 1.2 and newer, the library's own choice of ciphers, and clients' certificates if wanted."""

import logging
import ssl
from pathlib import Path

from mainspring.errors import SettingsError

_LOG = logging.getLogger("mainspring.gateway")


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


class RenewedCertificate:
    """Follows the files of a certificate, which is renewed every few weeks: new connections get the new one.

    Args:
        context: made of these files.
    """

    def __init__(self, context: ssl.SSLContext, certificate: str, key: str) -> None:
        self.context = context
        self._files = (certificate, key)
        self._seen = self._stamp()

    def refresh(self) -> None:
        """Take the files in if they have changed since the last call; where they do not hold, what was stays."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            server_context(*self._files)  # first on trial: a context keeps half of a pair that does not match
            load_certificate(self.context, *self._files)
        except SettingsError as error:
            _LOG.error("the renewed certificate is not taken, and the one before stays: %s", error)
        else:
            _LOG.info("the renewed certificate is taken")

    def _stamp(self) -> tuple[tuple[int, int, int], ...] | None:
        try:
            found = [Path(file).stat() for file in self._files]
        except OSError:
            return None  # just being replaced
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in found)


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
