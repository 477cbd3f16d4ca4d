"""Webhooks never reach inside: the corpus of targets that must be refused, and those that must not."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.deliver.addresses import Forbidden, allowed, checked, permitted, system_resolve

CORPUS = json.loads((Path(__file__).parents[2] / "data" / "ssrf.json").read_text("utf-8"))

ALLOWED_ADDRESSES = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"]


def answering(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case['why']} {case['url']}")
async def test_a_target_inside_is_refused(case: dict[str, Any]) -> None:
    """However an inner address is written or reached: one bad among good ones refuses the name."""
    found = case["resolves_to"]
    with pytest.raises(Forbidden):
        await checked(case["url"], resolve=answering(*found) if found else system_resolve)


@pytest.mark.parametrize(
    "url",
    [
        *("https://hooks.example/", "http://hooks.example/a?b=c", "https://hooks.example:8443/"),
        *("http://hooks.example:8080/", "http://8.8.8.8/", "https://[2606:4700:4700::1111]/"),
        "https://b\u00fccher.example/",
    ],
)
async def test_a_public_receiver_is_called(url: str) -> None:
    """Names and addresses, with the ports of receivers."""
    assert (await checked(url, resolve=answering("8.8.8.8"))).addresses == ("8.8.8.8",)


ALLOW = allowed("http://web:3000, 10.1.0.0/16, https://hooks.example:9443,fd00::7")


@pytest.mark.parametrize(
    ("url", "address", "is_open"),
    [
        ("http://web:3000/callback", "172.18.0.5", True),
        ("http://WEB.:3000/", "172.18.0.5", True),
        ("http://web:3001/", "172.18.0.5", False),
        ("https://web:3000/", "172.18.0.5", False),
        ("http://web/", "172.18.0.5", False),
        ("http://other:3000/", "172.18.0.5", False),
        ("http://any.example:5000/", "10.1.2.3", True),
        ("http://any.example/", "10.2.2.3", False),
        ("http://any.example/", "fd00::7", True),
        ("http://any.example/", "fd00::8", False),
        ("https://hooks.example:9443/", "8.8.8.8", True),
        ("https://hooks.example:9444/", "8.8.8.8", False),
    ],
)
async def test_an_operator_names_what_may_be_called(url: str, address: str, is_open: bool) -> None:
    """An origin with its scheme and port, or a network; nothing beside it."""
    if is_open:
        assert (await checked(url, allow=ALLOW, resolve=answering(address))).addresses == (address,)
        return
    with pytest.raises(Forbidden):
        await checked(url, allow=ALLOW, resolve=answering(address))


@pytest.mark.parametrize("text", ["web:3000", "http://", "10.0.0.0/33", "ftp://web/", "http://web/path", "*"])
def test_what_is_no_place_cannot_be_allowed(text: str) -> None:
    """The operator is told which of several it is."""
    with pytest.raises(ValueError, match="is no scheme"):
        allowed(f"http://web:3000,{text}")


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
