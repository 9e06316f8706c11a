"""Which hosts may be posted to: no settings, name server or redirect makes us talk to what lies inside the house.

A URL that somebody else may set, or a name that somebody else may point elsewhere, could otherwise reach the
cloud's metadata (169.254.169.254) or services that trust their own network (server-side request forgery). So
names are resolved once, every address is judged, and the connection is made to the very address that was judged.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from mainspring.errors import NotDelivered

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[..., Sequence[tuple[Any, ...]]]

_LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A web server that may be posted to.

    Attributes:
        addresses: of the host, each judged.
        path: with the query; it may hold a secret.
        credentials: `name:password`, where the URL has some.
    """

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]
    credentials: str | None = None


def find_target(url: str, allowed: Sequence[str], lookup: Lookup = socket.getaddrinfo) -> Target:
    """Resolve and judge the host of a URL.

    A public address is fine where the list names its host, or names no host at all. Any other address (private,
    loopback, link-local …) must be in the list itself, as an address or a network; `localhost` stands for the
    loopback.

    Args:
        allowed: the setting `alerts.allowed_hosts`.
        lookup: as `socket.getaddrinfo`.

    Raises:
        NotDelivered: the host is not there, or may not be posted to.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = tuple(dict.fromkeys(_addresses(host, port, lookup)))
    networks, names = _parsed(allowed)
    for address in addresses:
        _judge(host, address, networks, names)
    credentials = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, tuple(str(one) for one in addresses), credentials)


def _addresses(host: str, port: int, lookup: Lookup) -> list[Address]:
    try:
        found = lookup(host, port, type=socket.SOCK_STREAM)
        # An address of a link has a zone (`fe80::1%eth0`), which says nothing about whose it is.
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    except (OSError, UnicodeError, ValueError) as error:
        raise _refused(host, f"the host {host} cannot be found", "check the URL and the name server") from error
    if not addresses:
        raise _refused(host, f"the host {host} has no address", "check the URL and the name server")
    return addresses


def _parsed(allowed: Sequence[str]) -> tuple[list[Network], list[str]]:
    networks: list[Network] = []
    names: list[str] = []
    for entry in allowed:
        if entry == "localhost":
            networks += _LOOPBACK
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            names.append(entry)
    return networks, names


def _judge(host: str, address: Address, networks: Sequence[Network], names: Sequence[str]) -> None:
    true = _embedded(address)
    if any(true in network for network in networks):
        return
    if not true.is_global or true.is_multicast or true.is_reserved:
        named = host if host == str(address) else f"{host} is {address}, which"
        raise _refused(
            host,
            f"{named} is no public address, and is not listed",
            f"if it is meant, add {true} (or its network) to alerts.allowed_hosts",
        )
    if names and not any(_names(name, host) for name in names):
        raise _refused(
            host, f"the host {host} is not listed", f"if it is meant, add {host} to alerts.allowed_hosts"
        )


def _embedded(address: Address) -> Address:
    """The IPv4 address that some IPv6 addresses lead to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo or (address,))[-1]
    return address


def _names(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _refused(host: str, message: str, cure: str) -> NotDelivered:
    return NotDelivered(message, cure=cure, where={"host": host})
