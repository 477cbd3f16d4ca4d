"""Secrets stay out of log lines; what only sounds like one does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.observe.masking import MASK, masked, masked_text

SECRET_KEYS = [
    "token",
    "access_token",
    "X-Auth-Token",
    "secret",
    "client-secret",
    "webhookSecret",
    "password",
    "passwd",
    "db_password",
    "passphrase",
    "Authorization",
    "proxy_authorization",
    "api_key",
    "apiKey",
    "X-API-Key",
    "access_key",
    "private_key",
    "signature",
    "webhook-signature",
    "Cookie",
    "set-cookie",
    "credentials",
    "jwt",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_key_hides_its_value(key: str) -> None:
    """However the key is spelt, and however deep it lies."""
    assert masked(key, "value-1") == MASK
    assert masked("a", {"b": [{key: {"c": "value-1"}}]}) == {"b": [{key: MASK}]}


@pytest.mark.parametrize("key", ["prompt_tokens", "total_tokens", "max_tokens"])
def test_counted_tokens_are_no_secret(key: str) -> None:
    """What a model used is a number; the same key with a text is hidden."""
    assert masked(key, 1200) == 1200
    assert masked(key, "abc") == MASK


@pytest.mark.parametrize("key", ["error", "task_id", "session", "worker_id", "key", "message"])
def test_other_keys_are_shown(key: str) -> None:
    """A log that hides everything helps nobody."""
    assert masked(key, "value-1") == "value-1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer ***"),
        ("secret whsec_QUJDREVG is", "secret whsec_*** is"),
        ("POST https://x/robot/send?access_token=abc&n=1", "POST https://x/robot/send?access_token=***&n=1"),
        ("postgresql://duly:hunter2@db:5432/duly", "postgresql://duly:***@db:5432/duly"),
        ("no secret in here: a bearer of news", "no secret in here: a bearer of news"),
    ],
)
def test_secrets_of_known_shape_are_hidden_in_text(text: str, shown: str) -> None:
    """An error message may quote a header or a URL."""
    assert masked_text(text) == shown


@given(st.text(alphabet="abc.+-:/@?&=_token ", max_size=400))
def test_any_text_passes(text: str) -> None:
    """Masking answers for every text, and twice is as once."""
    once = masked_text(text)
    assert masked_text(once) == once


def test_endless_nesting_is_cut() -> None:
    """A structure that holds itself does not hang the log."""
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert MASK in str(masked("a", loop))
