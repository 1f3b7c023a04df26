"""The rules of accounts: registration, sign-in, mailed links and personal tokens.

These functions open their own transactions: a password's hash takes tens of milliseconds, and no database connection
waits for it.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier import jobs, throttle
from fastier.accounts import passwords, queries
from fastier.accounts.schemas import NewToken, Registration, SignIn
from fastier.errors import BadRequest, Conflict, FieldError, Invalid, TooMany, Unauthorized
from fastier.lists.service import create_inbox
from fastier.services import Services
from fastier.web.credentials import TOKEN_PREFIX, digest_of
from fastier.web.viewer import Viewer
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import Access

SESSION_DAYS = 30
TOKEN_DAYS = 90
LONGEST_TOKEN = timedelta(days=366)
LINK_HOURS = {"verify": 72, "reset": 1}
SEND_VERIFICATION = "accounts.send_verification"
SEND_RESET = "accounts.send_reset"


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once, and the whole number again after `per`."""

    burst: int
    per: timedelta


# Counted in the database, so that more instances allow no more guesses. An office behind one address registers and
# signs in at its own pace; from one address an account's password is guessed ten times and then twice a minute. From
# everywhere together it is a hundred an hour: a stranger who guesses must not lock its owner out at once.
REGISTRATIONS = Allowance(300, timedelta(hours=1))
TAKEN_ADDRESSES = Allowance(20, timedelta(hours=1))
SIGN_INS_OF_ADDRESS = Allowance(300, timedelta(minutes=15))
SIGN_INS_OF_ACCOUNT_FROM_ADDRESS = Allowance(10, timedelta(minutes=5))
SIGN_INS_OF_ACCOUNT = Allowance(100, timedelta(hours=1))
RESETS_OF_ADDRESS = Allowance(30, timedelta(hours=1))
RESETS_OF_ACCOUNT = Allowance(3, timedelta(hours=1))
SECRETS_OF_ADDRESS = Allowance(60, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user and the token that signs them in from now on."""

    user: dict[str, Any]
    token: str


def register(
    services: Services, address: str, user_agent: str, new: Registration
) -> tuple[SignedIn, dict[str, Any], UUID]:
    """A user with a personal workspace and its inbox: the sign-in, the inbox, and the workspace's id."""
    _allow(services, f"register:{address}", REGISTRATIONS)
    with services.database.reading() as connection:
        if queries.by_email(connection, new.email):
            raise _taken(services, address)
    password_hash = passwords.hash_password(new.password)
    fields = {
        "id": str(uuid7()),
        "email": new.email,
        "name": new.name,
        "timezone": new.timezone,
        "password_hash": password_hash,
    }
    with services.database.transaction() as connection:
        user = queries.insert_user(connection, fields)
        if user is not None:
            held = Access(uuid7(), 1, "owner")
            workspaces.insert(connection, user["id"], held.workspace_id, "Personal", is_personal=True)
            inbox = create_inbox(connection, held)
            token = _start_session(connection, user["id"], user_agent)
            jobs.enqueue(connection, SEND_VERIFICATION, {"user_id": str(user["id"])})
            return SignedIn(dict(user), token), inbox, held.workspace_id
    # Two registrations of one address at once: the other was first.
    raise _taken(services, address)


def _taken(services: Services, address: str) -> Conflict:
    _allow(services, f"taken:{address}", TAKEN_ADDRESSES)
    return Conflict("There is an account with this address; sign in, or reset its password.", code="email_taken")


def sign_in(services: Services, address: str, user_agent: str, given: SignIn) -> SignedIn:
    """The user and a new token; the same refusal, after the same work, for a wrong password and an unknown address."""
    account, from_address = check_password_attempt(services, given.email, address)
    with services.database.reading() as connection:
        found = queries.by_email(connection, given.email)
    if not passwords.verify_password(found["password_hash"] if found else None, given.password) or found is None:
        raise Unauthorized("The address or the password is wrong.", code="bad_credentials")
    user = dict(found)
    known_hash = user.pop("password_hash")
    renewed = passwords.hash_password(given.password) if passwords.is_outdated(known_hash) else None
    with services.database.transaction() as connection:
        if renewed:
            queries.set_password(connection, user["id"], renewed)
        throttle.forget(connection, from_address)
        throttle.forget(connection, account)
        return SignedIn(user, _start_session(connection, user["id"], user_agent))


def check_password_attempt(services: Services, email: str, address: str) -> tuple[str, str]:
    """Count one attempt at an account's password, TooMany past what is allowed; the keys it was counted under."""
    account, from_address = f"sign-in:account:{email}", f"sign-in:account:{email}:{address}"
    _allow(services, f"sign-in:address:{address}", SIGN_INS_OF_ADDRESS)
    _allow(services, from_address, SIGN_INS_OF_ACCOUNT_FROM_ADDRESS)
    _allow(services, account, SIGN_INS_OF_ACCOUNT)
    return account, from_address


def _start_session(connection: Connection, user_id: str, user_agent: str) -> str:
    fields = {"user_id": user_id, "kind": "session", "scope": "account", "name": user_agent or "unknown"}
    return _insert_token(connection, fields, days=SESSION_DAYS)[1]


def create_token(connection: Connection, viewer: Viewer, new: NewToken) -> dict[str, Any]:
    """A personal token with its secret, which is shown this once."""
    now = datetime.now(UTC)
    if new.expires_at is not None and not now < new.expires_at <= now + LONGEST_TOKEN:
        detail = "A token must expire in the future, at most 366 days from now."
        raise Invalid(detail, errors=[FieldError("/expires_at", detail)])
    fields = {"user_id": str(viewer.user_id), "kind": "personal", "scope": new.scope, "name": new.name}
    row, token = _insert_token(connection, fields, days=TOKEN_DAYS, expires_at=new.expires_at)
    return {**row, "token": token}


def _insert_token(
    connection: Connection, fields: dict[str, Any], *, days: int, expires_at: datetime | None = None
) -> tuple[dict[str, Any], str]:
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = queries.insert_token(
        connection,
        {**fields, "id": str(uuid7()), "digest": digest_of(token), "hint": token[-4:]},
        days=days,
        expires_at=expires_at,
    )
    return dict(row), token


def verify_address(services: Services, address: str, secret: str) -> None:
    """Take the mailed link and mark its user's address as verified."""
    _allow(services, f"secret:{address}", SECRETS_OF_ADDRESS)
    with services.database.transaction() as connection:
        queries.verify(connection, _take_link(connection, "verify", secret))


def ask_for_reset(services: Services, address: str, email: str) -> None:
    """Have a link mailed, if somebody has this address; a job looks that up, so that the answer takes the same time."""
    _allow(services, f"reset:address:{address}", RESETS_OF_ADDRESS)
    with services.database.transaction() as connection:
        allowed = not throttle.allow(
            connection, f"reset:account:{email}", burst=RESETS_OF_ACCOUNT.burst, per=RESETS_OF_ACCOUNT.per
        )
        if allowed:
            jobs.enqueue(connection, SEND_RESET, {"email": email})


def reset_password(services: Services, address: str, secret: str, password: str) -> None:
    """Set a new password by a mailed link, and end every session and token that the old one had started."""
    _allow(services, f"secret:{address}", SECRETS_OF_ADDRESS)
    password_hash = passwords.hash_password(password)
    with services.database.transaction() as connection:
        user_id = _take_link(connection, "reset", secret)
        queries.set_password(connection, user_id, password_hash)
        # The link came by mail: whoever has it reads mail at that address.
        queries.verify(connection, user_id)
        queries.delete_all_tokens(connection, user_id)


def _take_link(connection: Connection, purpose: str, secret: str) -> str:
    user_id = queries.take_link(connection, purpose, digest_of(secret))
    if user_id is None:
        raise BadRequest("This link was used, is too old, or was never sent; ask for a new one.", code="bad_link")
    return user_id


def _allow(services: Services, key: str, allowance: Allowance) -> None:
    """Count one attempt, committed by itself so that a refused one counts as well; TooMany past the allowance."""
    with services.database.transaction() as connection:
        wait = throttle.allow(connection, key, burst=allowance.burst, per=allowance.per)
    if wait:
        raise TooMany("Too many attempts; try again later.", retry_after=wait, code="throttled")
