"""Who may do what: four roles, four scopes, and the text of an API key.

A role is what somebody is trusted with; a scope is what one credential of his is good for. What a call may do
is what both allow.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from duly.model.errors import InvalidInput


class Role(StrEnum):
    """What somebody is trusted with, from the least to the most."""

    #: Reads his own tasks.
    VIEWER = "viewer"
    #: Reads and acts on his own tasks; who has no role has this one.
    USER = "user"
    #: Acts on queues, limits, schedules and everybody's tasks.
    OPERATOR = "operator"
    #: Does all there is: keys and the audit log too.
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The higher one is trusted with all that the lower one is."""
        return list(Role).index(self)

    @property
    def sees_all(self) -> bool:
        """Whether everybody's tasks are his business."""
        return self in (Role.OPERATOR, Role.ADMIN)


class Scope(StrEnum):
    """What a credential is good for; each route needs one of them (`http.permissions`)."""

    READ = "tasks:read"
    WRITE = "tasks:write"
    OPERATE = "operate"
    ADMIN = "admin"


GRANTS: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.USER: frozenset({Scope.READ, Scope.WRITE}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.WRITE, Scope.OPERATE}),
    Role.ADMIN: frozenset(Scope),
}


def granted(role: Role, named: Iterable[str] = ()) -> frozenset[Scope]:
    """What a credential of this role allows, if it names these scopes; none named: all of the role's.

    A scope that is not ours grants nothing, and one that the role does not have neither.
    """
    words = frozenset(named)
    return frozenset(one for one in GRANTS[role] if not words or one.value in words)


def role_of(text: str) -> Role:
    """A role by its name.

    Raises:
        InvalidInput: there is none of this name.
    """
    try:
        return Role(text)
    except ValueError:
        raise InvalidInput(f"a role is one of {', '.join(Role)}, not {text!r}") from None


def scopes_of(words: Iterable[str], role: Role) -> tuple[Scope, ...]:
    """Scopes by their names, in one order.

    Raises:
        InvalidInput: an unknown scope, or one that the role does not have.
    """
    named = set(words)
    if strange := sorted(named - {one.value for one in Scope}):
        raise InvalidInput(f"a scope is one of {', '.join(Scope)}, not {strange[0]!r}")
    if beyond := sorted(named - {one.value for one in GRANTS[role]}):
        raise InvalidInput(f"the role {role} does not have the scope {beyond[0]}")
    return tuple(one for one in Scope if one.value in named)


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: Drawn from 36 and 62 digits: 82 bits that name a key, 190 bits that nobody can guess.
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 16, 32, 6
ENVIRONMENT = re.compile(r"[a-z0-9]{1,12}")
#: What a scanner for leaked secrets looks for.
KEY_PATTERN = re.compile(
    rf"duly_([a-z0-9]{{1,12}})_([a-z0-9]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"_([0-9A-Za-z]{{{_CHECK_LENGTH}}})"
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ApiKey:
    """A key as text: `duly_<environment>_<id>_<secret>_<checksum>` (the form that GitHub's tokens have)."""

    environment: str
    id: str
    secret: str

    @property
    def text(self) -> str:
        """What its holder sends."""
        body = f"duly_{self.environment}_{self.id}_{self.secret}"
        return f"{body}_{_check(body)}"

    @property
    def secret_hash(self) -> str:
        """What is kept: SHA-256 is enough for a secret that cannot be guessed."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @classmethod
    def new(cls, environment: str, id_: str = "") -> ApiKey:
        """A fresh secret, of a fresh key if none is named."""
        id_ = id_ or _drawn(_DIGITS[:10] + _DIGITS[36:], _ID_LENGTH)
        return cls(environment=environment, id=id_, secret=_drawn(_DIGITS, _SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str, environment: str) -> ApiKey | None:
        """The key that a text is; None if it is none, of another environment, or mistyped."""
        found = KEY_PATTERN.fullmatch(text)
        if found is None or found[1] != environment:
            return None
        key = cls(environment=found[1], id=found[2], secret=found[3])
        return key if secrets.compare_digest(key.text, text) else None


def _drawn(digits: str, length: int) -> str:
    return "".join(secrets.choice(digits) for _ in range(length))


def _check(body: str) -> str:
    """CRC-32 in base 62: it tells a typing error from a wrong key without asking the database."""
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
