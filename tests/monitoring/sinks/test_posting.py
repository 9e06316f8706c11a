"""Posting to servers that are slow, hang, refuse, redirect, talk nonsense, or are not there."""

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mainspring.errors import NotDelivered, Undeliverable
from mainspring.monitoring.sinks.posting import Poster
from mainspring.testing.receiver import Receiver, answer, drip, garble, hang, receiver

ALLOWED = ("127.0.0.0/8",)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def test_what_is_posted_arrives_with_its_headers(there: Receiver) -> None:
    url = there.url.replace("//", "//me:p%40ss@") + "/hook/?token=secret"
    Poster(url, ALLOWED, 5).post({"a": "ü"}, {"Idempotency-Key": "k"})
    (got,) = there.got
    assert (got.path, got.body) == ("/hook/?token=secret", {"a": "ü"})
    assert got.headers["Idempotency-Key"] == "k"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert got.headers["Host"] == f"127.0.0.1:{there.port}"


def test_a_path_is_added_to_the_urls(there: Receiver) -> None:
    for base in ("", "/", "/prefix", "/prefix/"):
        Poster(there.url + base, ALLOWED, 5).post([], {}, "/api/v2/alerts")
    assert [got.path for got in there.got] == ["/api/v2/alerts"] * 2 + ["/prefix/api/v2/alerts"] * 2


@pytest.mark.parametrize(
    ("behaviour", "kind", "said"),
    [
        (
            answer(500, b"out of\x1b[31m order"),
            NotDelivered,
            r"answered 500: out of \[31m order; see what ails it",
        ),
        (answer(404), NotDelivered, "answered 404: ok; check the URL"),
        (answer(400, b"invalid_payload"), Undeliverable, "answered 400: invalid_payload"),
        (answer(302, b"", Location="http://169.254.169.254/"), NotDelivered, "answered 302.*follow nobody"),
        (answer(307, b"", Location="/elsewhere"), NotDelivered, "answered 307.*follow nobody"),
        (garble, NotDelivered, "did not answer as a web server does"),
        (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), NotDelivered, "127.0.0.1"),
    ],
)
def test_answers_that_are_no_yes(there: Receiver, behaviour, kind: type[NotDelivered], said: str) -> None:
    there.behave = behaviour
    with pytest.raises(NotDelivered, match=said) as caught:
        Poster(f"{there.url}/secret", ALLOWED, 5).post({}, {})
    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)
    assert len(there.got) == 1, "asked once, and nobody was followed"


def test_a_server_says_when_to_come_again(there: Receiver) -> None:
    there.behave = answer(429, b"", Retry_After="120")
    with pytest.raises(NotDelivered) as caught:
        Poster(there.url, ALLOWED, 5).post({}, {})
    assert caught.value.where["after"] == 120


@pytest.mark.parametrize("behaviour", [hang, drip], ids=["hangs", "drips"])
def test_a_server_that_takes_its_time_has_only_so_much(there: Receiver, behaviour) -> None:
    there.behave = behaviour(there)
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 did not answer within 0\.3 s"):
        Poster(there.url, ALLOWED, 0.3).post({}, {})


def test_an_endless_answer_is_not_read_to_its_end(there: Receiver) -> None:
    there.behave = answer(200, b"x" * 10_000_000)
    Poster(there.url, ALLOWED, 5).post({}, {})


def test_nobody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/secret"
        with pytest.raises(NotDelivered, match="cannot be reached: Connection refused") as caught:
            Poster(url, ALLOWED, 5).post({}, {})
    assert "secret" not in str(caught.value)


def test_the_loopback_is_refused_where_it_is_not_listed(there: Receiver) -> None:
    with pytest.raises(NotDelivered, match="no public address"):
        Poster(there.url, (), 5).post({}, {})
    assert there.got == []


def test_a_name_is_asked_for_once_and_its_judged_address_is_used(there: Receiver) -> None:
    """A name server that says another address the second time (DNS rebinding) is not asked a second time."""
    asked: list[str] = []

    def lookup(host: str, port: int, **_):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, 1, 6, "", (address, port))]

    Poster(f"http://hooks.example.com:{there.port}/", ALLOWED, 5, lookup).post({}, {})
    assert asked == ["hooks.example.com"]
    assert there.got[0].headers["Host"] == f"hooks.example.com:{there.port}"
    with pytest.raises(NotDelivered, match=r"169\.254\.169\.254, which is no public address"):
        Poster(f"http://hooks.example.com:{there.port}/", ALLOWED, 5, lookup).post({}, {})
    assert len(there.got) == 1


def test_the_next_address_is_tried_where_one_is_deaf(there: Receiver) -> None:
    def lookup(host: str, port: int, **_):
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("127.99.0.1", "127.0.0.1")]

    Poster(f"http://hooks.example.com:{there.port}/", ALLOWED, 5, lookup).post({}, {})
    assert len(there.got) == 1


def test_certificates_are_verified(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    with receiver(tls=serving) as there:
        with pytest.raises(NotDelivered, match=r"the certificate of 127\.0\.0\.1 is not valid"):
            Poster(there.url, ALLOWED, 5).post({}, {})
        assert there.got == []
        trust = ssl.create_default_context(cafile=str(certificate))
        Poster(there.url, ALLOWED, 5, trust=trust).post({"a": 1}, {})
        assert there.got[0].body == {"a": 1}

        def lookup(host: str, port: int, **_):
            return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

        other = f"https://hooks.example.com:{there.port}/"
        with pytest.raises(NotDelivered, match=r"the certificate of hooks\.example\.com is not valid"):
            Poster(other, ALLOWED, 5, lookup, trust).post({}, {})
        there.behave = hang(there)
        with pytest.raises(NotDelivered, match="did not answer within"):
            Poster(there.url, ALLOWED, 0.5, trust=trust).post({}, {})


def test_a_poster_shows_no_secret() -> None:
    assert "secret" not in repr(Poster("https://hooks.example.com/secret", (), 5))


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    places = folder / "receiver.crt", folder / "receiver.key"
    places[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    places[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return places
