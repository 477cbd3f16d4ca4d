"""Webhooks never reach inside: the corpus of targets that must be refused, and those that must not."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.deliver.addresses import Forbidden, checked, permitted

FORBIDDEN_URLS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://localhost/",
    "http://LOCALHOST:8080/",
    "http://①②⑦.⓪.⓪.①/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://192.0.0.8/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://203.0.113.5/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::ffff:0:7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[fc00::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fe80::1%lo]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://ok@127.0.0.1/",
    "http://8.8.8.8@127.0.0.1/",
    "http://127.0.0.1:80\\@8.8.8.8/",
    "http://8.8.8.8:0/",
    "http://8.8.8.8:99999/",
    "http://exa mple/",
    "http://[::1/",
    "http:///path",
    "http://./",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "ftp://8.8.8.8/",
    "//8.8.8.8/",
    "",
]

ALLOWED_ADDRESSES = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"]


def answering(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
async def test_a_target_inside_is_refused(url: str) -> None:
    """However an inner address is written, it is refused as the system resolves it."""
    with pytest.raises(Forbidden):
        await checked(url)


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("8.8.8.8", "::1"), ("fe80::1%2",), ("nonsense",)]
)
async def test_a_name_that_leads_inside_is_refused(addresses: tuple[str, ...]) -> None:
    """Every address of a name is checked: one bad among good ones refuses the name."""
    with pytest.raises(Forbidden, match="which webhooks must not call"):
        await checked("https://hooks.example/", resolve=answering(*addresses))


async def test_a_public_name_keeps_all_its_addresses() -> None:
    """The endpoint has what was checked, once each, and the host without its final dot."""
    endpoint = await checked("https://hooks.example./x", resolve=answering("8.8.8.8", "1.1.1.1", "8.8.8.8"))
    assert endpoint.addresses == ("8.8.8.8", "1.1.1.1")
    assert endpoint.host == "hooks.example"


async def test_a_name_without_an_address_may_get_one() -> None:
    """No address is a failure that may pass, not a refusal."""
    with pytest.raises(OSError, match="has no address"):
        await checked("https://hooks.example/", resolve=answering())


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES)
def test_a_public_address_is_permitted(address: str) -> None:
    """Global unicast passes."""
    assert permitted(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.20.0.2", "::1", "fd00::7"])
def test_private_targets_open_by_setting_only(address: str) -> None:
    """`webhook_private` opens this host and private networks."""
    assert not permitted(address)
    assert permitted(address, private=True)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:127.0.0.1"]
)
def test_some_addresses_stay_closed(address: str) -> None:
    """Cloud metadata, this-host wildcards, multicast and mapped addresses are refused in any case."""
    assert not permitted(address, private=True)


@given(st.integers(0, 2**32 - 1))
def test_no_ipv4_address_passes_inside_an_ipv6_one(number: int) -> None:
    """Mapped, compatible, NAT64, 6to4 and Teredo forms of any IPv4 address are refused."""
    base = {"::": 0, "::ffff:0:0": 0, "64:ff9b::": 0, "2002::": 80, "2001::": 64}
    for prefix, shift in base.items():
        address = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number << shift)
        assert not permitted(str(address))


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_passes(address: ipaddress.IPv4Address) -> None:
    """The rule is at least as strict as `ipaddress`, for every address."""
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_loopback:
        assert not permitted(str(address))
