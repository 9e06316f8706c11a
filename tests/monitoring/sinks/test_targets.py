"""Nobody makes us post to what lies inside the house."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import NotDelivered
from mainspring.monitoring.sinks.targets import find_target

PUBLIC = "93.184.216.34"


def names(**hosts: str | list[str]):
    """A name server that knows these."""

    def lookup(host: str, port: int, **_):
        found = hosts.get(host.replace(".", "_").replace("-", "_"), host)
        texts = [found] if isinstance(found, str) else found
        addresses = [ipaddress.ip_address(text) for text in texts]
        return [
            (socket.AF_INET if a.version == 4 else socket.AF_INET6, 1, 6, "", (str(a), port)) for a in addresses
        ]

    return lookup


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
@pytest.mark.parametrize("allowed", [(), ("hooks.example.com",)], ids=["no list", "its name is listed"])
def test_a_name_that_leads_inside_is_refused(address: str, allowed: tuple[str, ...]) -> None:
    for found in (address, [PUBLIC, address]):
        with pytest.raises(NotDelivered, match="is no public address") as caught:
            find_target("https://hooks.example.com/x", allowed, names(hooks_example_com=found))
        assert "alerts.allowed_hosts" in caught.value.cure


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://2852039166/", "http://[::1]/", "http://127.1/"]
)
def test_an_address_in_any_writing_is_judged_as_what_it_is(url: str) -> None:
    with pytest.raises(NotDelivered, match="is no public address"):
        find_target(url, ())  # by the system's own resolver, which needs no server for these


def test_what_is_listed_may_be_posted_to() -> None:
    lookup = names(hooks_example_com=PUBLIC, am_internal="10.1.2.3", localhost=["::1", "127.0.0.1"])
    target = find_target("https://hooks.example.com/a/b?c=d", (), lookup)
    assert (target.host, target.port, target.path, target.addresses) == (
        "hooks.example.com",
        443,
        "/a/b?c=d",
        (PUBLIC,),
    )
    assert find_target("http://am.internal:9093", ("10.0.0.0/8",), lookup).addresses == ("10.1.2.3",)
    assert find_target("http://am.internal", ("10.1.2.3",), lookup).port == 80
    assert find_target("http://localhost:9093", ("localhost",), lookup).addresses == ("::1", "127.0.0.1")
    for allowed in (("hooks.example.com",), ("*.example.com",), ("10.0.0.0/8",)):
        assert find_target("https://HOOKS.example.com./", allowed, lookup).host == "hooks.example.com"
    credentials = find_target("https://me:p%40ss@hooks.example.com", (), lookup).credentials
    assert credentials == "me:p@ss"


@pytest.mark.parametrize("allowed", [("example.com",), ("*.other.com",), ("hooks.example.co",)])
def test_with_names_in_the_list_no_other_may_be_posted_to(allowed: tuple[str, ...]) -> None:
    with pytest.raises(NotDelivered, match=r"the host hooks\.example\.com is not listed"):
        find_target("https://hooks.example.com/", allowed, names(hooks_example_com=PUBLIC))


def test_a_host_that_cannot_be_found() -> None:
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    for lookup in (fail, lambda *_, **__: []):
        with pytest.raises(NotDelivered, match=r"nosuch\.example"):
            find_target("https://nosuch.example/", (), lookup)


@given(st.ip_addresses())
def test_no_private_address_gets_past_without_being_listed(address: ipaddress.IPv4Address) -> None:
    lookup = names(hooks_example_com=str(address))
    try:
        find_target("https://hooks.example.com/", (), lookup)
    except NotDelivered:
        return
    assert address.is_global
    assert not address.is_multicast
