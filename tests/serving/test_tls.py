"""TLS: spoken as it should be, with the limits that plain HTTP has, and with errors that name the file."""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mainspring.errors import SettingsError
from mainspring.serving.tls import server_context

from .conftest import ROW, Running, Shop, start

PLAIN = serialization.NoEncryption()


@dataclass
class Signed:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


def sign(folder: Path, name: str, authority: Signed | None = None, *, is_authority: bool = False) -> Signed:
    """A certificate for 127.0.0.1, signed by the authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = subject, key
    if authority is not None:
        issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes()).subject
        issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), None)  # type: ignore[assignment]
    now = datetime.now(UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    made = Signed(folder / f"{name}.crt", folder / f"{name}.key")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, PLAIN))
    return made


def client(authority: Signed, own: Signed | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


def serve(shop: Shop, **settings: object) -> Running:
    running = start(shop, ready=False, **settings)
    assert running.address.startswith("https://")
    return running


def ask(
    running: Running, context: ssl.SSLContext, method: str, path: str, body: object = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, timeout=20, context=context)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ready(running: Running, context: ssl.SSLContext) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return ask(running, context, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    return answers


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return sign(tmp_path_factory.mktemp("authority"), "authority", is_authority=True)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, authority: Signed) -> Signed:
    return sign(tmp_path_factory.mktemp("own"), "gateway", authority)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, authority: Signed, own: Signed) -> Iterator[Running]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.seal(1)
    shop.promote(1)
    found = serve(shop, workers=2, tls_certificate=str(own.certificate), tls_key=str(own.key))
    found.wait_until(ready(found, client(authority)))
    yield found
    assert found.stop() == 0
    shop.records.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_answers_come_over_tls(running: Running, authority: Signed, version: ssl.TLSVersion) -> None:
    context = client(authority)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert connection.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
    status, content = ask(running, context, "POST", "/predict/adult", [ROW] * 5_000)
    assert status == 200
    assert len(json.loads(content)["predictions"]) == 5_000


def test_older_versions_are_refused(running: Running, authority: Signed) -> None:
    context = client(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        ask(running, context, "GET", "/healthz")


def test_strangers_to_tls_harm_nobody(running: Running, authority: Signed) -> None:
    for content in (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + os.urandom(5_000),
        b"\x00",
    ):
        running.raw(content, half_close=True)
    assert ask(running, client(authority), "GET", "/healthz")[0] == 200


def secure(running: Running, authority: Signed, content: bytes, timeout: float = 15.0) -> bytes:
    got = b""
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=timeout) as plain,
        client(authority).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        contextlib.suppress(ConnectionError, ssl.SSLError),
    ):
        connection.sendall(content)
        while part := connection.recv(65536):
            got += part
    return got


def test_the_limits_of_headers_and_time_hold(running: Running, authority: Signed) -> None:
    large = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n"
    assert re.match(rb"HTTP/1\.1 431 ", secure(running, authority, large))
    slow = b"POST /predict/adult HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"
    assert re.match(rb"HTTP/1\.1 408 ", secure(running, authority, slow))


def test_a_silent_client_is_dropped_before_and_after_the_handshake(running: Running, authority: Signed) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as silent:
        assert silent.recv(1) == b""  # after the read timeout of 1 s; else this call times out
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert half.recv(1) == b""
    assert secure(running, authority, b"") == b""


def test_clients_show_a_certificate_where_one_is_wanted(
    shop: Shop, tmp_path: Path, authority: Signed, own: Signed
) -> None:
    shop.seal(1)
    shop.promote(1)
    running = serve(
        shop,
        tls_certificate=str(own.certificate),
        tls_key=str(own.key),
        tls_client_ca=str(authority.certificate),
    )
    known = client(authority, sign(tmp_path, "client", authority))
    stranger = client(authority, sign(tmp_path, "stranger"))
    try:
        running.wait_until(ready(running, known))
        assert ask(running, known, "POST", "/predict/adult", ROW)[0] == 200
        for context in (stranger, client(authority)):
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(running, context, "GET", "/healthz")
    finally:
        began = time.monotonic()
        assert running.stop() == 0
        print(f"stopped in {time.monotonic() - began:.1f} s")


def test_a_renewed_certificate_is_taken_and_a_broken_one_is_not(
    shop: Shop, tmp_path: Path, authority: Signed
) -> None:
    shop.seal(1)
    shop.promote(1)
    (tmp_path / "live").mkdir()
    (tmp_path / "new").mkdir()
    live = sign(tmp_path / "live", "live", authority)
    running = serve(shop, tls_certificate=str(live.certificate), tls_key=str(live.key))

    def shown() -> bytes:
        return ssl.get_server_certificate(("127.0.0.1", running.port), timeout=20).encode().strip()

    try:
        running.wait_until(ready(running, client(authority)))
        before = live.certificate.read_bytes().strip()
        assert shown() == before
        live.certificate.write_bytes(b"broken")
        running.wait_until(lambda: "is not taken" in running.log.read_text())
        assert shown() == before
        new = sign(tmp_path / "new", "new", authority)
        new.key.replace(live.key)
        new.certificate.replace(live.certificate)
        running.wait_until(lambda: shown() == live.certificate.read_bytes().strip())
        assert shown() != before
        assert ask(running, client(authority), "POST", "/predict/adult", ROW)[0] == 200
    finally:
        assert running.stop() == 0


def test_files_that_do_not_do(tmp_path: Path, authority: Signed, own: Signed) -> None:
    encrypted = tmp_path / "encrypted.key"
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    encrypted.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    noise = tmp_path / "noise.pem"
    noise.write_bytes(os.urandom(3_000))
    absent = tmp_path / "absent.pem"
    certificate, good = str(own.certificate), str(own.key)
    for files, said in (
        ((str(absent), good), r"tls_certificate: absent\.pem cannot be read: No such file"),
        ((certificate, str(absent)), r"tls_key: absent\.pem cannot be read: No such file"),
        ((str(tmp_path), good), r"tls_certificate: .* cannot be read: Is a directory"),
        ((str(noise), good), r"tls_certificate: noise\.pem and gateway\.key are no certificate and key"),
        ((certificate, str(noise)), r"gateway\.crt and noise\.pem are no certificate and key"),
        ((certificate, str(authority.key)), r"tls_key: authority\.key is the key of another certificate"),
        ((certificate, str(encrypted)), r"tls_key: encrypted\.key is encrypted; decrypt it"),
        ((certificate, good, str(absent)), r"tls_client_ca: absent\.pem cannot be read"),
        ((certificate, good, str(noise)), r"tls_client_ca: noise\.pem holds no certificates"),
    ):
        with pytest.raises(SettingsError, match=said) as caught:
            server_context(*files)
        assert str(tmp_path) not in str(caught.value)


def test_a_gateway_with_bad_files_does_not_start(shop: Shop, own: Signed) -> None:
    running = start(shop, ready=False, tls_certificate=str(own.certificate), tls_key=str(shop.root / "absent.key"))
    assert running.process.wait(30) == 1
    running.stop()
    assert "gateway.tls_key: absent.key cannot be read" in running.address
