"""Where a webhook may go: a host is resolved once, every address checked, and only those are connected to.

`ipaddress.is_global` alone is not enough: it lets multicast, NAT64 of loopback, 6to4 and IPv4-compatible
addresses pass, and answers differently between Python versions.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
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


class Forbidden(Exception):
    """This target must not be called; sending again would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A checked target: its host without a final dot (for TLS), and the addresses it may be reached at."""

    url: httpx2.URL
    host: str
    addresses: tuple[str, ...]


async def checked(text: str, *, private: bool = False, resolve: Resolve | None = None) -> Endpoint:
    """The endpoint of a webhook's URL.

    Raises:
        Forbidden: not an http(s) URL of a host, or one of its addresses may not be called.
        OSError: the host cannot be resolved now.
    """
    url, host = _parsed(text)
    port = url.port or (443 if url.scheme == "https" else 80)
    addresses = await (resolve or system_resolve)(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        if not permitted(address, private=private):
            raise Forbidden(f"{host} leads to {address}, which webhooks must not call")
    return Endpoint(url=url, host=host.rstrip("."), addresses=tuple(dict.fromkeys(addresses)))


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


def _parsed(text: str) -> tuple[httpx2.URL, str]:
    try:
        url = httpx2.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise Forbidden(f"not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not host.strip(".") or url.userinfo:
        raise Forbidden("a webhook needs an http:// or https:// URL with a host and without a user name")
    if "%" in host or (url.port is not None and not 1 <= url.port <= 65_535):
        raise Forbidden("the webhook's host or port is not valid")
    return url, host
