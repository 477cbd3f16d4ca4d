"""Signatures are those of Standard Webhooks 1.0.0, as its vectors and two libraries of others say."""

from __future__ import annotations

import subprocess
import sys
import time
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from duly.model.errors import InvalidInput
from duly.model.signing import check_secret, new_secret, public_key, signature


def test_the_specifications_vector() -> None:
    """Secret, id, timestamp, body and signature as the project's own tests have them."""
    secret, id_ = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    said = signature([secret], id_, 1614265330, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_ed25519_signature_is_that_of_rfc_8032() -> None:
    """The key of its first test vector signs as the independent library does with it."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    secret = "whsk_" + b64encode(seed).decode()
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert public_key(secret) == "whpk_" + b64encode(public).decode()
    signed = Ed25519PrivateKey.from_private_bytes(seed).sign(b"id.7.{}")
    assert signature([secret], "id", 7, b"{}") == "v1a," + b64encode(signed).decode()


@given(st.binary(max_size=200), st.uuids())
def test_two_libraries_accept_what_is_signed(body: bytes, id_: object) -> None:
    """Any bytes, whatever they are, with any secret of ours; and they sign the same."""
    secret, now = new_secret(), int(time.time())
    text = body.decode("latin-1")
    said = signature([new_secret(), secret], str(id_), now, text.encode())
    headers = {"webhook-id": str(id_), "webhook-timestamp": str(now), "webhook-signature": said}
    own = Webhook(secret).sign(str(id_), datetime.fromtimestamp(now, UTC), text)
    assert said.split(" ")[1] == own
    for library in (Webhook, SvixWebhook):
        try:
            library(secret).verify(text, headers)
        except ValueError:  # it accepted the signature, and then read the body as JSON
            continue


@pytest.mark.parametrize("secret", ["", "x", "whsec_", "whsec_*", "whsec_" + b64encode(b"x" * 65).decode()])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    """24 to 64 bytes in base64, behind its prefix."""
    with pytest.raises(InvalidInput):
        check_secret(secret)


def test_a_fresh_secret_is_one() -> None:
    """Of either kind; a shared secret has no public key."""
    for one in (new_secret(), new_secret(ed25519=True)):
        assert check_secret(one) == one
    assert public_key(new_secret()) is None


def test_ed25519_is_imported_when_it_is_needed() -> None:
    """The library is an extra: without it everything else works."""
    program = "import sys, duly.model.signing as s; s.new_secret(); sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
