"""Who asks: the one value that every query of a feature takes."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Scope = Literal["read", "write", "account"]

# Each scope allows what the ones before it allow; only a sign-in, never a personal token, has `account`.
SCOPES: tuple[Scope, ...] = ("read", "write", "account")


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in user, with the credential in use."""

    user_id: UUID
    token_id: UUID
    scope: Scope
    timezone: str
    is_verified: bool

    def may(self, scope: Scope) -> bool:
        return SCOPES.index(self.scope) >= SCOPES.index(scope)
