"""Where a webhook may go: a host is resolved once, every address checked, and only those are connected to.

`ipaddress.is_global` alone is not enough: it lets multicast, NAT64 of loopback, 6to4 and IPv4-compatible
addresses pass, and answers differently between Python versions.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx2

Resolve = Callable[[str, int], Awaitable[list[str]]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


#: Never a receiver, whatever Python says: this network, 6to4 relays, multicast, reserved, and in IPv6
#: whatever carries an IPv4 address or is not global unicast.
_DENIED = _networks(
    "0.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: What `webhook_private` opens: the own host and private networks; never link-local (cloud metadata).
_PRIVATE = _networks(
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"
)
#: Where receivers listen. Other ports are other services; an operator names those that are none (`allow`).
PORTS = frozenset({80, 443, 8080, 8443})
#: A host of numbers: what is not plainly four decimal ones is a disguise.
_NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_AT = re.compile(r"[^/]*//[^/?#]*@")
_ORIGIN = re.compile(r"(https?)://([^/?#\s@]+)/?")


class Forbidden(Exception):
    """This target must not be called; sending again would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A checked target: its host without a final dot (for TLS), and the addresses it may be reached at."""

    url: httpx2.URL
    host: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What an operator lets webhooks call besides: an origin (`http://web:3000`), or a network."""

    origin: tuple[str, str, int] | None = None
    network: Network | None = None

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """From `scheme://host[:port]`, a CIDR, or one address.

        Raises:
            ValueError: it is none of these.
        """
        if _ORIGIN.fullmatch(text):
            url, host = _parsed(text)
            return cls(origin=_origin(url, host))
        return cls(network=ipaddress.ip_network(text))


def allowed(text: str) -> tuple[Allowed, ...]:
    """The setting `webhook_allow`: several with commas.

    Raises:
        ValueError: one of them is no origin, network or address; it is named.
    """
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(Allowed.parse(one))
        except (ValueError, Forbidden):
            raise ValueError(f"{one!r} is no scheme://host:port, network or address") from None
    return tuple(found)


async def checked(
    text: str, *, private: bool = False, allow: Sequence[Allowed] = (), resolve: Resolve | None = None
) -> Checked:
    """The target behind a webhook's URL.

    Raises:
        Forbidden: not an http(s) URL of a host, or one of its addresses may not be called.
        OSError: the host cannot be resolved now.
    """
    url, host = _parsed(text)
    scheme, name, port = origin = _origin(url, host)
    named = any(one.origin == origin for one in allow)
    if _NUMBERS.fullmatch(host) and not _is_plain(host):
        raise Forbidden(f"{host} is not how an address is written")
    addresses = await (resolve or system_resolve)(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    networks = [one.network for one in allow if one.network is not None]
    opened = [named or _is_in(address, networks) for address in addresses]
    for address, is_open in zip(addresses, opened, strict=True):
        if not is_open and not permitted(address, private=private):
            raise Forbidden(f"{host} leads to {address}, which webhooks must not call")
    if port not in PORTS and not private and not all(opened):
        raise Forbidden(
            f"port {port} of {name} is not one of a receiver; webhook_allow can name {scheme}://{name}:{port}"
        )
    return Checked(url=url, host=host.rstrip("."), addresses=tuple(dict.fromkeys(addresses)))


def permitted(text: str, *, private: bool = False) -> bool:
    """Whether an IP address may be called."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if getattr(address, "scope_id", None):
        return False
    if private and any(address in network for network in _PRIVATE):
        return True
    if any(address in network for network in _DENIED):
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


async def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system finds them (it also reads `127.1` and `0x7f000001`)."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise Forbidden(f"{host!r} is not a host name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _origin(url: httpx2.URL, host: str) -> tuple[str, str, int]:
    return url.scheme, host.rstrip(".").lower(), url.port or (443 if url.scheme == "https" else 80)


def _is_plain(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _is_in(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks if network.version == address.version)


def _parsed(text: str) -> tuple[httpx2.URL, str]:
    try:
        url = httpx2.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise Forbidden(f"not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not host.strip(".") or _AT.match(text):
        raise Forbidden("a webhook needs an http:// or https:// URL with a host and without a user name")
    if "%" in host or (url.port is not None and not 1 <= url.port <= 65_535):
        raise Forbidden("the webhook's host or port is not valid")
    return url, host
