"""The routes of accounts."""

from typing import Any
from uuid import UUID

from fastier.accounts import deletion, queries, service
from fastier.accounts.schemas import (
    AccountDeletion,
    ForgottenPassword,
    NewToken,
    PasswordReset,
    Profile,
    ProfilePatch,
    Registered,
    Registration,
    Session,
    SignedIn,
    SignIn,
    Token,
    TokenWithSecret,
    User,
    Verification,
)
from fastier.errors import NotFound
from fastier.items import reminders
from fastier.lists import queries as lists
from fastier.web import credentials
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import queries as workspaces

routes = Routes("accounts")

# No answer to /me grows without bound; whoever belongs to more pages through /workspaces.
MOST_WORKSPACES = 200
_COOKIE_SECONDS = service.SESSION_DAYS * 24 * 3600


@routes.post("/auth/register", returns=Registered, status=201, mode="own", scope=None, refusals=(403, 409))
def register(call: Call, body: Registration) -> Reply:
    """Create an account, signed in, with a personal workspace and its inbox; a mail verifies the address."""
    _require_same_origin_for_cookie(call, body.session)
    signed_in, inbox, workspace_id = service.register(call.services, call.address, call.user_agent, body)
    with call.services.database.reading() as connection:
        call.viewer_or_none = queries.authenticate(connection, credentials.digest_of(signed_in.token))
        workspace = workspaces.one(connection, call.viewer, workspace_id)
    return _signed_in(call, signed_in, body.session, 201, workspace=workspace, inbox=inbox)


@routes.post("/auth/login", returns=SignedIn, mode="own", scope=None, refusals=(401, 403))
def sign_in(call: Call, body: SignIn) -> Reply:
    """Sign in with an address and a password."""
    _require_same_origin_for_cookie(call, body.session)
    signed_in = service.sign_in(call.services, call.address, call.user_agent, body)
    return _signed_in(call, signed_in, body.session, 200)


@routes.post("/auth/logout", status=204, scope="read", keyed=False)
def sign_out(call: Call) -> Reply:
    """End the session, or revoke the token, that this request was sent with."""
    for kind in ("session", "personal"):
        queries.delete_token(call.connection, call.viewer, kind, call.viewer.token_id)
    return Reply(status=204, headers=credentials.cookie_header(call.services.settings, "", 0))


@routes.post("/auth/verify", status=204, mode="own", scope=None, refusals=(400,))
def verify(call: Call, body: Verification) -> Reply:
    """Confirm an address with the secret that was mailed to it."""
    service.verify_address(call.services, call.address, body.token)
    return Reply(status=204)


@routes.post("/auth/password/forgot", status=202, mode="own", scope=None)
def forgot_password(call: Call, body: ForgottenPassword) -> Reply:
    """Have a link mailed that sets a new password; the answer is the same for an address that nobody has."""
    service.ask_for_reset(call.services, call.address, body.email)
    return Reply(status=202)


@routes.post("/auth/password/reset", status=204, mode="own", scope=None, refusals=(400,))
def reset_password(call: Call, body: PasswordReset) -> Reply:
    """Set a new password with the secret that was mailed; every session and token ends."""
    service.reset_password(call.services, call.address, body.token, body.password)
    return Reply(status=204)


@routes.get("/me", returns=Profile, conditional=False)
def get_me(call: Call) -> Reply:
    """You, your workspaces, and the inbox of your personal one."""
    return Reply(_profile(call))


@routes.patch("/me", returns=User, scope="account", keyed=True, conditional=False)
def change_me(call: Call, body: ProfilePatch) -> Reply:
    """Change your name or time zone."""
    sent = body.sent()
    if "name" in sent:
        # Comments and members are listed with names: whoever holds such a list is to read it anew.
        workspaces.touch(call.connection, call.viewer)
    if "timezone" in sent:
        reminders.follow(call.connection, call.viewer, sent["timezone"])
    changed = queries.change_user(call.connection, call.viewer, sent.get("name"), sent.get("timezone"))
    return Reply(dict(changed))


@routes.delete("/me", mode="own", scope="account", refusals=(409,))
def delete_me(call: Call, body: AccountDeletion) -> Reply:
    """Delete your account with its data; what you shared with others stays, without your name."""
    deletion.delete_account(call.services, call.viewer, call.address, body.password)
    return Reply(status=204, headers=credentials.cookie_header(call.services.settings, "", 0))


@routes.get("/tokens", returns=PageOf[Token], scope="account", conditional=False)
def list_tokens(call: Call, query: PageQuery) -> Reply:
    """Your personal tokens, newest first."""
    return _tokens(call, query, "personal", _token_body)


@routes.post("/tokens", returns=TokenWithSecret, status=201, scope="account", keyed=False)
def create_token(call: Call, body: NewToken) -> Reply:
    """Create a personal token; its secret is shown this once."""
    return Reply(service.create_token(call.connection, call.viewer, body), 201)


@routes.delete("/tokens/{token_id}", scope="account")
def revoke_token(call: Call, token_id: UUID) -> Reply:
    """Revoke a personal token."""
    return _deleted(queries.delete_token(call.connection, call.viewer, "personal", token_id))


@routes.get("/sessions", returns=PageOf[Session], scope="account", conditional=False)
def list_sessions(call: Call, query: PageQuery) -> Reply:
    """Your sign-ins, newest first."""
    return _tokens(call, query, "session", _session_body)


@routes.delete("/sessions/{session_id}", scope="account")
def end_session(call: Call, session_id: UUID) -> Reply:
    """End a sign-in."""
    return _deleted(queries.delete_token(call.connection, call.viewer, "session", session_id))


def _require_same_origin_for_cookie(call: Call, session: str) -> None:
    # Else another site could sign a browser in as somebody else.
    if session == "cookie":
        credentials.require_same_origin(call.services.settings)


def _signed_in(call: Call, signed_in: service.SignedIn, session: str, status: int, **more: Any) -> Reply:
    body = {"user": signed_in.user, **more}
    if session == "cookie":
        cookie = credentials.cookie_header(call.services.settings, signed_in.token, _COOKIE_SECONDS)
        return Reply(body, status, headers=cookie)
    return Reply({**body, "token": signed_in.token}, status)


def _profile(call: Call) -> dict[str, Any]:
    user = queries.by_id(call.connection, call.viewer.user_id)
    home = workspaces.home(call.connection, call.viewer)
    if user is None:
        raise NotFound
    return {
        **user,
        "workspaces": workspaces.page(call.connection, call.viewer, None, MOST_WORKSPACES),
        "inbox": lists.one(call.connection, call.viewer, home["inbox"]) if home else None,
    }


def _tokens(call: Call, query: PageQuery, kind: str, body: Any) -> Reply:
    after = call.after_id(query, purpose=kind)
    rows = queries.tokens(call.connection, call.viewer, kind, after, query.limit + 1)
    total = queries.count_tokens(call.connection, call.viewer, kind, TOTAL_CAP + 1) if query.include else None
    shown = [body(call, row) for row in rows]
    return call.page_reply(shown, query, purpose=kind, key=lambda row: [row["id"]], total=total)


def _token_body(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    return row


def _session_body(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "name", "created_at", "expires_at", "last_used_at")}
    return {**shown, "is_current": row["id"] == call.viewer.token_id}


def _deleted(was_there: bool) -> Reply:
    if not was_there:
        raise NotFound
    return Reply(status=204)
