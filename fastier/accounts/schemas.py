"""What goes in and out about accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from fastier.dates.schemas import Zone
from fastier.lists.schemas import List
from fastier.web.schemas import Email, Input, Line, Output, Patch, Text, Time
from fastier.workspaces.schemas import Workspace

# The shortest password that NIST and ASVS allow; the longest only bounds the work of hashing it.
Password = Annotated[Text, Field(min_length=8, max_length=256)]
Name = Annotated[Line, Field(min_length=1, max_length=200)]
Secret = Annotated[str, Field(min_length=1, max_length=100)]
SessionKind = Annotated[
    Literal["token", "cookie"],
    Field(description="`token`: a bearer token in the body; `cookie`: an HttpOnly cookie and no token."),
]


class Registration(Input):
    """A new account."""

    email: Email
    password: Password
    name: Name
    timezone: Zone = "UTC"
    session: SessionKind = "token"


class SignIn(Input):
    """An address and its password."""

    email: Email
    password: Annotated[Text, Field(min_length=1, max_length=256)]
    session: SessionKind = "token"


class Verification(Input):
    """The secret that was mailed."""

    token: Secret


class ForgottenPassword(Input):
    """Whose password is to be set anew."""

    email: Email


class PasswordReset(Input):
    """The secret that was mailed, and the new password."""

    token: Secret
    password: Password


class ProfilePatch(Patch):
    """What of your profile changes."""

    name: Name = ""
    timezone: Zone = "UTC"


class AccountDeletion(Input):
    """The password, once more, of the account to delete."""

    password: Annotated[Text, Field(min_length=1, max_length=256)]


class NewToken(Input):
    """A personal token to create."""

    name: Name
    scope: Annotated[Literal["read", "write"], Field(description="`write` includes `read`.")] = "read"
    expires_at: Annotated[
        AwareDatetime | None, Field(description="At most a year away; 90 days from now unless given.")
    ] = None


class User(Output):
    """A person, as that person sees it."""

    id: UUID
    email: str
    name: str
    timezone: str
    is_verified: Annotated[bool, Field(description="Whether the address has been verified.")]
    created_at: Time


class SignedIn(Output):
    """A sign-in; the token is absent where a cookie was asked for."""

    user: User
    token: Annotated[str | None, Field(description="Shown once.")] = None


class Registered(SignedIn):
    """A new account, signed in, with its personal workspace and inbox."""

    workspace: Workspace
    inbox: List


class Profile(User):
    """You, with your workspaces and the inbox of your personal one."""

    workspaces: list[Workspace]
    inbox: List | None


class Token(Output):
    """A personal token, without its secret."""

    id: UUID
    name: str
    scope: Literal["read", "write"]
    hint: Annotated[str, Field(description="Its last four characters.")]
    created_at: Time
    expires_at: Time
    last_used_at: Annotated[datetime, Field(description="Written at most every five minutes.")]


class TokenWithSecret(Token):
    """A personal token at its creation."""

    token: Annotated[str, Field(description="Shown this once.")]


class Session(Output):
    """A sign-in."""

    id: UUID
    name: Annotated[str, Field(description="The browser or program that signed in.")]
    is_current: bool
    created_at: Time
    expires_at: Time
    last_used_at: datetime
