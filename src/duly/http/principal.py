"""Who calls, and what he may; `identity` finds him, routes ask him."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from duly.model.access import GRANTS, Role, Scope
from duly.model.errors import NotAllowed
from duly.model.task import Task


class Forbidden(NotAllowed):
    """These credentials do not allow this."""

    code = "forbidden"
    http_status = 403


class ForgedRequest(Forbidden):
    """Send the header X-CSRF-Token as /api/session answers it, from a page of this server."""

    code = "csrf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls. Operators and administrators see all tasks; others their own, those of (tenant, owner)."""

    tenant: str = ""
    owner: str = ""
    role: Role = Role.USER
    #: What the credential is good for; None: all that its role may.
    scopes: frozenset[Scope] | None = None
    #: By what he is known, for the audit log: token, jwt, session, loopback, key:<id>, read.
    credential: str = "token"
    #: The API key that he called with, or began his browser session with.
    key_id: str | None = None
    #: His browser session.
    login_id: str | None = None
    #: When the credential ends, in milliseconds UTC; None: never.
    expires_at: int | None = None
    #: The only task that he may see: a read token's.
    task_id: str | None = None

    @property
    def admin(self) -> bool:
        """Whether he may do all there is."""
        return self.role is Role.ADMIN

    @property
    def sees_all(self) -> bool:
        """Whether everybody's tasks are his business."""
        return self.role.sees_all

    @property
    def granted(self) -> frozenset[Scope]:
        """What he may do: what both his role and his credential allow."""
        return GRANTS[self.role] if self.scopes is None else GRANTS[self.role] & self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether he may do what needs this scope."""
        return scope in self.granted

    def sees(self, task: Task) -> bool:
        """Whether the task may be known to this caller at all."""
        if self.task_id is not None and self.task_id != task.id:
            return False
        return self.sees_all or (task.tenant, task.owner) == (self.tenant, self.owner)

    def acting(self, tenant: str | None, owner: str | None) -> tuple[str, str]:
        """For whom a request is: the caller, unless one who sees all names somebody else.

        Raises:
            Forbidden: a user named somebody else.
        """
        named = (self.tenant if tenant is None else tenant, self.owner if owner is None else owner)
        if not self.sees_all and named != (self.tenant, self.owner):
            raise Forbidden("only an administrator may name another owner or tenant")
        return named

    def wire(self) -> dict[str, Any]:
        """How he stands in JSON."""
        scopes = [one.value for one in Scope if one in self.granted]
        return {"owner": self.owner, "tenant": self.tenant, "role": self.role.value, "scopes": scopes}

    def kept(self) -> dict[str, Any]:
        """All of him as JSON, for `restored`."""
        scopes = None if self.scopes is None else sorted(self.scopes)
        return {**asdict(self), "role": self.role.value, "scopes": scopes}

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Principal:
        """Who was kept."""
        scopes = kept["scopes"]
        given = {
            "role": Role(kept["role"]),
            "scopes": None if scopes is None else frozenset(map(Scope, scopes)),
        }
        return cls(**{**kept, **given})


ADMIN = Principal(role=Role.ADMIN)
LOOPBACK = Principal(role=Role.ADMIN, credential="loopback")


def name_of(principal: Principal) -> str:
    """By which he is counted: no two callers have one name, for the lengths stand in it."""
    return f"{principal.role}/{len(principal.tenant)}/{principal.tenant}/{principal.owner}"
